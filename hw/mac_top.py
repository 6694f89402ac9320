"""A MAC array by itself: AXI4-Stream edges, status and checksum over AXI4-Lite."""

from itertools import pairwise

from amaranth.hdl import Cat, DomainRenamer, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fxsim.arithmetic.formats import IntFormat
from fxsim.hw.blocks.arith import is_zero
from fxsim.hw.blocks.file_memory import FileMemory
from fxsim.hw.blocks.layouts import layout_of
from fxsim.hw.build import build
from fxsim.hw.edges.axi import axis_members, count_beats, frames, pack
from fxsim.hw.edges.axi_lite import (
    Access,
    AxiLiteRegisters,
    Register,
    axi_lite_members,
    connect_axi_lite,
)
from fxsim.hw.edges.domains import KEPT, add_domains
from fxsim.hw.edges.frame_errors import FrameErrors
from fxsim.hw.edges.framer import Framer
from fxsim.hw.edges.loading import load_between
from fxsim.network.mac_unit import MacUnit
from fxsim.plan.beat import Beat
from fxsim.plan.mac_unit import array_of, plan_mac_unit

ADDRESS_BITS = 5
VERSION = 0x46584D31  # "FXM1"
BYTE = IntFormat(bits=8, signed=False)


def registers_of(unit: MacUnit) -> list[Register]:
    """Register map of ``unit``."""
    rest = [
        ("version", 32, f"{VERSION:#x}, the ASCII codes of FXM1"),
        ("status", 5, "bit 0: idle; 1: frame error; 2: loading; 3: memory read; 4: memory error"),
        ("control", 2, "bit 0: write 1 to reset the unit; bit 1: to clear errors and their count"),
        ("frame_errors", 32, "frames of a wrong length"),
    ]
    if plan_mac_unit(unit).files():
        rest.append(("checksum", 32, "of the weights, last whole pass"))
    access = {"control": Access.PULSE}
    return [
        Register(
            name=name, offset=4 * k, access=access.get(name, Access.READ), bits=bits, text=text
        )
        for k, (name, bits, text) in enumerate(rest)
    ]


def word_bytes(unit: MacUnit) -> int:
    """Bytes of a beat of weights: a word of their memory."""
    return -(-array_of(unit).content.width // 8)


class MacChain(wiring.Component):
    """Blocks of the plan of a unit, one after the other.

    Parameters
    ----------
    unit : MacUnit

    Members
    -------
    i, o : In(stream), Out(stream)
        Matrices and their products.
    weights : In(stream)
        With loadable weights, that of the `fxsim.hw.blocks.mac_array.MacArray`.

    ``memories`` has the `FileMemory` of the weights, if a file fills them. Latency and throughput
    are those of `fxsim.timing.mac_unit`.
    """

    def __init__(self, unit: MacUnit):
        self._blocks = {b.path: build(b.record) for b in plan_mac_unit(unit).blocks}
        first, *_, last = self._blocks.values()
        array = self._blocks["mac_array"]
        self.memories: list[FileMemory] = array.memories
        # Most matrices inside: two in the buffer, and one in each stage and each skid buffer.
        self.most = 2 + sum(max(block.latency, 1) for block in self._blocks.values())
        members = {"i": first.signature.members["i"], "o": last.signature.members["o"]}
        if unit.loadable:
            members["weights"] = array.signature.members["weights"]
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        first, *_, last = chain = list(self._blocks.values())
        for path, block in self._blocks.items():
            m.submodules[path] = block
        wiring.connect(m, wiring.flipped(self.i), first.i)
        for before, after in pairwise(chain):
            wiring.connect(m, before.o, after.i)
        wiring.connect(m, last.o, wiring.flipped(self.o))
        if "weights" in self.signature.members:
            array = self._blocks["mac_array"]
            wiring.connect(m, wiring.flipped(self.weights), array.weights)
        return m


class MacTop(wiring.Component):
    """Streaming hardware of a `fxsim.network.mac_unit.MacUnit`.

    Parameters
    ----------
    unit : MacUnit

    Members
    -------
    aclk, aresetn : In(1)
        Clock, and synchronous reset that is active when low.
    s_axis_tdata, s_axis_tvalid, s_axis_tready, s_axis_tlast
        Matrices of ``columns`` vectors, row by row: ceil(inputs / simd) beats of ``simd`` rows,
        lane ``k * columns + c`` for row k of column c; tlast on the last. Each lane is padded to
        whole bytes, lane 0 in the low bytes.
    m_axis_tdata, m_axis_tvalid, m_axis_tready, m_axis_tlast
        Their products, row by row, whole rows in each beat; tlast on the last.
    s_axis_weights_tdata, ..._tvalid, ..._tready, ..._tlast
        With loadable weights: a beat for each word of the weight memory, as
        `fxsim.plan.memory.WeightMemory` has it; tlast on the very last. Taken only while no matrix
        is inside, and no matrix is taken until all have come.
    s_axi_awaddr and so on
        AXI4-Lite slave with the registers of `registers_of`.
    frame_error : Out(1)
        Goes high, and stays, when a tlast is not exactly where it belongs. A frame of the wrong
        length is cut or filled with zeros (`fxsim.hw.edges.framer`).
    memory_error : Out(1)
        Only with weights from a file: goes high, and stays, when what was read is not what the file
        should hold.

    Cycles are those of `fxsim.timing.mac_unit`.
    """

    def __init__(self, unit: MacUnit):
        self.unit = unit
        self.plan = plan = plan_mac_unit(unit)
        members = {"aclk": In(1), "aresetn": In(1), "frame_error": Out(1)}
        for port, stream in (("s_axis", plan.input), ("m_axis", plan.output)):
            beat = stream.beat
            members |= axis_members(port, beat.format, beat.lanes, sink=port == "s_axis")
        if unit.loadable:
            members |= axis_members("s_axis_weights", BYTE, word_bytes(unit), sink=True)
        if plan.files():
            members["memory_error"] = Out(1)
        super().__init__(members | axi_lite_members("s_axi", ADDRESS_BITS))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        reset = Signal()
        add_domains(m, self, reset)
        unit = self.unit
        m.submodules.unit = chain = MacChain(unit)
        admit = Signal()
        loading = Signal()
        framer, accept = self._source(m, chain, admit)
        framers = [framer]
        idle = self._idle(m, accept, framer.ends, self._sink(m, chain), chain.most)
        if unit.loadable:
            word = Beat(BYTE, word_bytes(unit))
            sets = Framer(layout_of(word), beats=array_of(unit).content.depth)
            m.submodules.weights_framer = sets
            framers.append(sets)
            frames(m, self, "s_axis_weights", word, sets.i)
            load_between(
                m,
                sets,
                chain.weights,
                Value.cast(sets.o.payload)[: len(chain.weights.payload)],
                idle=idle,
                accept=accept,
                ends=framer.ends,
                loading=loading,
                admit=admit,
            )
        else:
            m.d.comb += admit.eq(1)
        errors = FrameErrors(len(framers))
        m.submodules.frame_errors = DomainRenamer(KEPT)(errors)
        m.d.comb += [
            errors.wrong.eq(Cat(framer.wrong for framer in framers)),
            self.frame_error.eq(errors.error),
        ]
        status = Cat(idle, self.frame_error, loading)
        self._registers(m, status, errors, chain.memories, reset)
        return m

    def _source(self, m: Module, block: MacChain, admit: Value) -> tuple[Framer, Signal]:
        """Connect the port by which matrices come in; its framer, and when a beat is taken.

        No beat is taken without ``admit``.
        """
        entering = self.plan.input
        accept = Signal()
        m.submodules.framer = framer = Framer(layout_of(entering.beat), beats=entering.count)
        frames(m, self, "s_axis", entering.beat, framer.i)
        m.d.comb += [
            block.i.payload.eq(framer.o.payload),
            block.i.valid.eq(framer.o.valid & admit),
            framer.o.ready.eq(block.i.ready & admit),
            accept.eq(block.i.valid & block.i.ready),
        ]
        return framer, accept

    def _sink(self, m: Module, block: MacChain) -> Signal:
        """Connect the port by which products leave; when the last beat of one is taken."""
        leaving = self.plan.output
        sent = Signal()
        left = Signal()
        last = count_beats(m, sent, leaving.count, "m_axis")
        m.d.comb += [
            self.m_axis_tdata.eq(pack(block.o.payload, leaving.beat.format, leaving.beat.lanes)),
            self.m_axis_tvalid.eq(block.o.valid),
            self.m_axis_tlast.eq(last),
            block.o.ready.eq(self.m_axis_tready),
            sent.eq(block.o.valid & block.o.ready),
            left.eq(sent & last),
        ]
        return left

    @staticmethod
    def _idle(m: Module, accept: Value, ends: Value, left: Value, most: int) -> Signal:
        """Bit that is set while no matrix is inside."""
        inside = Signal(range(most + 1))
        starts = Signal(init=1)
        idle = Signal()
        with m.If(accept):
            m.d.sync += starts.eq(ends)
        m.d.sync += inside.eq(inside + (accept & starts) - left)
        m.d.comb += idle.eq(is_zero(inside))
        return idle

    def _registers(
        self,
        m: Module,
        status: Value,
        errors: FrameErrors,
        memories: list[FileMemory],
        reset: Signal,
    ) -> None:
        """Connect the register file to port, status and the memory that a file fills, if any."""
        file = AxiLiteRegisters(registers_of(self.unit), address_bits=ADDRESS_BITS)
        m.submodules.registers = DomainRenamer(KEPT)(file)
        connect_axi_lite(m, file, self, "s_axi")
        m.d.comb += [
            file.version.eq(VERSION),
            file.status.eq(status),
            reset.eq(file.control[0]),
            errors.clear.eq(file.control.any()),
            file.frame_errors.eq(errors.count),
        ]
        for memory in memories:
            wrong = memory.checked & (memory.checksum != memory.content.checksum)
            # An expression, not m.If: an unknown checksum makes the error unknown, too.
            m.d[KEPT] += self.memory_error.eq(wrong | (self.memory_error & ~errors.clear))
            m.d.comb += [
                file.status.eq(Cat(status, memory.checked, self.memory_error)),
                file.checksum.eq(memory.checksum),
            ]
