"""Status and checksums of the memories that files fill, with an AXI4-Lite port."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Module
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

VERSION = 0x46584E31  # "FXN1"
STATUS = "bit 0: all memories were read; bit 1: memory error; bit 2: frame error"


def registers_of(names: Sequence[str]) -> list[Register]:
    """Register map for the memories called ``names``."""
    rest = [
        ("version", 32, f"{VERSION:#x}, the ASCII codes of FXN1"),
        ("status", 3, STATUS),
        *((f"checksum_{name}", 32, f"of the weights of {name}, last whole pass") for name in names),
    ]
    return [
        Register(name=name, offset=4 * k, access=Access.READ, bits=bits, text=text)
        for k, (name, bits, text) in enumerate(rest)
    ]


def address_bits(names: Sequence[str]) -> int:
    """Width of the port's addresses."""
    return (4 * len(registers_of(names)) - 1).bit_length()


class MemoryCheck(wiring.Component):
    """Compares the checksum of each `FileMemory` with that of its words.

    Parameters
    ----------
    memories : sequence of FileMemory
        Anywhere in the design.

    Members
    -------
    frame_error : In(1)
        For the status register.
    memory_error : Out(1)
        Goes high, and stays, when a checksum is wrong.
    axil_awaddr and so on
        AXI4-Lite slave with the registers of `registers_of`; none can be written.

    Latency is 1 cycle from a checksum to ``memory_error``.
    """

    def __init__(self, memories: Sequence[FileMemory]):
        self._memories = memories
        self._names = [memory.content.name for memory in memories]
        super().__init__(
            axi_lite_members("axil", address_bits(self._names))
            | {"frame_error": In(1), "memory_error": Out(1)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.registers = file = AxiLiteRegisters(
            registers_of(self._names), address_bits=len(self.axil_araddr)
        )
        connect_axi_lite(m, file, self, "axil")
        wrong = [
            memory.checked & (memory.checksum != memory.content.checksum)
            for memory in self._memories
        ]
        # An expression, not m.If: an unknown checksum makes the error unknown, too.
        m.d.sync += self.memory_error.eq(self.memory_error | Cat(wrong).any())
        checked = Cat(memory.checked for memory in self._memories).all()
        m.d.comb += [
            file.version.eq(VERSION),
            file.status.eq(Cat(checked, self.memory_error, self.frame_error)),
            *(
                getattr(file, f"checksum_{memory.content.name}").eq(memory.checksum)
                for memory in self._memories
            ),
        ]
        return m
