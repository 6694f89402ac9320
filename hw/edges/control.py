"""Status of a network and its soft reset, with an AXI4-Lite port where it has one."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fxsim.hw.blocks.file_memory import FileMemory
from fxsim.hw.edges.axi_lite import (
    Access,
    AxiLiteRegisters,
    Register,
    axi_lite_members,
    connect_axi_lite,
)
from fxsim.hw.edges.frame_errors import FrameErrors

VERSION = 0x46584E31  # "FXN1"
STATUS = "bit 0: all memories were read; bit 1: memory error; bit 2: frame error"
CONTROL = "bit 0: write 1 to reset the network; bit 1: to clear errors and their count"


def registers_of(names: Sequence[str]) -> list[Register]:
    """Register map for the memories called ``names``."""
    rest = [
        ("version", Access.READ, 32, f"{VERSION:#x}, the ASCII codes of FXN1"),
        ("status", Access.READ, 3, STATUS),
        ("control", Access.PULSE, 2, CONTROL),
        ("frame_errors", Access.READ, 32, "frames of a wrong length"),
        *(
            (f"checksum_{name}", Access.READ, 32, f"of the weights of {name}, last whole pass")
            for name in names
        ),
    ]
    return [
        Register(name=name, offset=4 * k, access=access, bits=bits, text=text)
        for k, (name, access, bits, text) in enumerate(rest)
    ]


def address_bits(names: Sequence[str]) -> int:
    """Width of the port's addresses."""
    return (4 * len(registers_of(names)) - 1).bit_length()


class Control(wiring.Component):
    """Keeps errors, and compares the checksum of each `FileMemory` with that of its words.

    It stays as it is while the network is reset over its port, errors apart; so it belongs in a
    clock domain of its own.

    Parameters
    ----------
    memories : sequence of FileMemory
        Anywhere in the design.
    ports : int
        Ports by which frames come in.
    port : bool
        True if there is an AXI4-Lite port.

    Members
    -------
    wrong : In(ports)
        A bit for each port, high for a cycle for each frame of a wrong length.
    frame_error : Out(1)
        Goes high, and stays, with the first of them.
    memory_error : Out(1)
        With memories: goes high, and stays, when a checksum is wrong.
    reset : Out(1)
        With a port: high for a cycle to reset the network.
    axil_awaddr and so on
        With a port: AXI4-Lite slave with the registers of `registers_of`.

    Latency is 1 cycle from a wrong frame or checksum to its error; ``reset`` comes with the answer
    to its write.
    """

    def __init__(self, memories: Sequence[FileMemory], *, ports: int, port: bool):
        self._memories, self._port = memories, port
        self._names = [memory.content.name for memory in memories]
        members = {"wrong": In(ports), "frame_error": Out(1)}
        if memories:
            members["memory_error"] = Out(1)
        if port:
            members["reset"] = Out(1)
            members |= axi_lite_members("axil", address_bits(self._names))
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.frames = frames = FrameErrors(len(self.wrong))
        memory_error = Signal()
        wrong = [
            memory.checked & (memory.checksum != memory.content.checksum)
            for memory in self._memories
        ]
        # An expression, not m.If: an unknown checksum makes the error unknown, too.
        m.d.sync += memory_error.eq(Cat(wrong).any() | (memory_error & ~frames.clear))
        m.d.comb += [frames.wrong.eq(self.wrong), self.frame_error.eq(frames.error)]
        if self._memories:
            m.d.comb += self.memory_error.eq(memory_error)
        if self._port:
            self._registers(m, frames, memory_error)
        return m

    def _registers(self, m: Module, frames: FrameErrors, memory_error: Signal) -> None:
        """Connect the register file."""
        m.submodules.registers = file = AxiLiteRegisters(
            registers_of(self._names), address_bits=len(self.axil_araddr)
        )
        connect_axi_lite(m, file, self, "axil")
        m.d.comb += [
            self.reset.eq(file.control[0]),
            frames.clear.eq(file.control.any()),
            file.version.eq(VERSION),
            file.status.eq(
                Cat(
                    Cat(memory.checked for memory in self._memories).all(),
                    memory_error,
                    frames.error,
                )
            ),
            file.frame_errors.eq(frames.count),
            *(
                getattr(file, f"checksum_{memory.content.name}").eq(memory.checksum)
                for memory in self._memories
            ),
        ]
