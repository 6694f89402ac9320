"""A MAC array by itself: AXI4-Stream edges, status and checksum over AXI4-Lite."""

from itertools import pairwise

from amaranth.hdl import Cat, ClockDomain, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fxsim.arithmetic.formats import IntFormat
from fxsim.hw.blocks.arith import is_zero
from fxsim.hw.blocks.file_memory import FileMemory
from fxsim.hw.build import build
from fxsim.hw.edges.axi import axis_members, count_beats, pack, unpack
from fxsim.hw.edges.axi_lite import (
    Access,
    AxiLiteRegisters,
    Register,
    axi_lite_members,
    connect_axi_lite,
)
from fxsim.hw.edges.loading import load_between
from fxsim.network.mac_unit import MacUnit
from fxsim.plan.mac_unit import array_of, plan_mac_unit

ADDRESS_BITS = 4
VERSION = 0x46584D31  # "FXM1"
BYTE = IntFormat(bits=8, signed=False)


def registers_of(unit: MacUnit) -> list[Register]:
    """Register map of ``unit``."""
    rest = [
        ("version", 32, f"{VERSION:#x}, the ASCII codes of FXM1"),
        ("status", 5, "bit 0: idle; 1: frame error; 2: loading; 3: memory read; 4: memory error"),
    ]
    if plan_mac_unit(unit).files():
        rest.append(("checksum", 32, "of the weights, last whole pass"))
    return [
        Register(name=name, offset=4 * k, access=Access.READ, bits=bits, text=text)
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
        # Most matrices inside: two in the buffer, and one in each stage of the others.
        self.most = 2 + sum(block.latency for block in self._blocks.values())
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
        Goes high, and stays, when a tlast is not exactly where it belongs.
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
        m.domains.sync = sync = ClockDomain()
        m.d.comb += [sync.clk.eq(self.aclk), sync.rst.eq(~self.aresetn)]
        unit = self.unit
        m.submodules.unit = chain = MacChain(unit)
        admit, loading, wrong = Signal(), Signal(), Signal()
        accept, ends = self._source(m, chain, admit, wrong)
        idle = self._idle(m, accept, ends, self._sink(m, chain), chain.most)
        if unit.loadable:
            load_between(
                m,
                self,
                chain.weights,
                self.s_axis_weights_tdata[: len(chain.weights.payload)],
                words=array_of(unit).content.depth,
                idle=idle,
                accept=accept,
                ends=ends,
                loading=loading,
                admit=admit,
                wrong=wrong,
            )
        else:
            m.d.comb += admit.eq(1)
        self._registers(m, Cat(idle, self.frame_error, loading), chain.memories)
        return m

    def _source(
        self, m: Module, block: MacChain, admit: Value, wrong: Value
    ) -> tuple[Signal, Signal]:
        """Connect the port by which matrices come in; when a beat is taken, and is the last.

        No beat is taken without ``admit``; ``wrong`` is that of the weights' tlast.
        """
        entering, accept = self.plan.input, Signal()
        beat, ends = entering.beat, count_beats(m, accept, entering.count, "s_axis")
        m.d.comb += [
            block.i.payload.eq(unpack(self.s_axis_tdata, beat.format, beat.lanes)),
            block.i.valid.eq(self.s_axis_tvalid & admit),
            self.s_axis_tready.eq(block.i.ready & admit),
            accept.eq(block.i.valid & block.i.ready),
        ]
        with m.If(wrong | (accept & (self.s_axis_tlast != ends))):
            m.d.sync += self.frame_error.eq(1)
        return accept, ends

    def _sink(self, m: Module, block: MacChain) -> Signal:
        """Connect the port by which products leave; when the last beat of one is taken."""
        leaving, sent, left = self.plan.output, Signal(), Signal()
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
        inside, starts, idle = Signal(range(most + 1)), Signal(init=1), Signal()
        with m.If(accept):
            m.d.sync += starts.eq(ends)
        m.d.sync += inside.eq(inside + (accept & starts) - left)
        m.d.comb += idle.eq(is_zero(inside))
        return idle

    def _registers(self, m: Module, status: Value, memories: list[FileMemory]) -> None:
        """Connect the register file to port, status and the memory that a file fills, if any."""
        registers = registers_of(self.unit)
        m.submodules.registers = file = AxiLiteRegisters(registers, address_bits=ADDRESS_BITS)
        connect_axi_lite(m, file, self, "s_axi")
        m.d.comb += [file.version.eq(VERSION), file.status.eq(status)]
        for memory in memories:
            wrong = memory.checked & (memory.checksum != memory.content.checksum)
            # An expression, not m.If: an unknown checksum makes the error unknown, too.
            m.d.sync += self.memory_error.eq(self.memory_error | wrong)
            m.d.comb += [
                file.status.eq(Cat(status, memory.checked, self.memory_error)),
                file.checksum.eq(memory.checksum),
            ]
