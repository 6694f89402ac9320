"""A zero-skipping unit by itself: AXI4-Stream edges, counters and threshold over AXI4-Lite."""

from amaranth.hdl import Cat, DomainRenamer, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fxsim.arithmetic.formats import IntFormat
from fxsim.hw.blocks.layouts import layout_of
from fxsim.hw.edges.axi import axis_members, count_beats, frames, lane_bytes, pack
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
from fxsim.hw.skip.pairs import ZeroSkipConfig
from fxsim.hw.skip.skip_counters import COUNTERS, SkipCounters
from fxsim.hw.skip.sparse_matvec import SparseMatVec, SparseMatVecConfig
from fxsim.hw.skip.zero_skip import ZeroSkipper
from fxsim.network.skip_unit import SkipUnit
from fxsim.plan.beat import Beat

ADDRESS_BITS = 7
VERSION = 0x46585A31  # "FXZ1"
CONTROL = (
    "bit 0: write 1 to set all counters to 0; bit 1: to reset the unit, but for its threshold;"
    " bit 2: to clear errors and their count"
)


def registers_of(unit: SkipUnit) -> list[Register]:
    """Register map of ``unit``."""
    rest = [
        ("version", Access.READ, 32, "0x46585a31, the ASCII codes of FXZ1"),
        ("control", Access.PULSE, 3, CONTROL),
        ("status", Access.READ, 3, "bit 0: idle; bit 1: frame error; bit 2: loading weights"),
        ("threshold", Access.WRITE, unit.gradient.bits, "values within it count as zeros"),
    ]
    rest += [(name, Access.READ, 32, text) for name, text in COUNTERS.items()]
    rest += [("frame_errors", Access.READ, 32, "frames of a wrong length")]
    return [
        Register(name=name, offset=4 * k, access=access, bits=bits, text=text)
        for k, (name, access, bits, text) in enumerate(rest)
    ]


def index_format(unit: SkipUnit) -> IntFormat:
    """Format of the index of a pair."""
    return IntFormat(bits=max((unit.items - 1).bit_length(), 1), signed=False)


class SkipTop(wiring.Component):
    """Streaming hardware of a `fxsim.network.skip_unit.SkipUnit`.

    Parameters
    ----------
    unit : SkipUnit

    Members
    -------
    aclk, aresetn : In(1)
        Clock, and synchronous reset that is active when low.
    s_axis_tdata, s_axis_tvalid, s_axis_tready, s_axis_tlast
        Gradients: ceil(items / lanes) beats a vector, tlast on its last. Each lane is padded to
        whole bytes, lane 0 in the low bytes.
    m_axis_tdata, m_axis_tvalid, m_axis_tready, m_axis_tlast
        Of a product: output vectors, ``rows`` lanes in ceil(outputs / rows) beats. Of a skipper:
        groups of ``issue`` pairs, each a value and then its index, both padded to whole bytes; a
        value of 0 is no pair. tlast marks a vector's last beat.
    s_axis_weights_tdata, ..._tvalid, ..._tready, ..._tlast
        Of a product with loadable weights: for each tile, for each index, a beat of ``rows``
        weights; tlast on the very last. Taken only while no vector is inside, and no vector is
        taken until all have come.
    s_axi_awaddr and so on
        AXI4-Lite slave with the registers of `registers_of`.
    frame_error : Out(1)
        Goes high, and stays, when a tlast is not exactly where it belongs. A frame of the wrong
        length is cut or filled with zeros (`fxsim.hw.edges.framer`).

    Cycles are those of `fxsim.timing.skip_unit`. The threshold may be written at any time; it
    counts from the beats taken 3 cycles after the write's last handshake on.
    """

    def __init__(self, unit: SkipUnit):
        self.unit = unit
        product = unit.product
        members = {"aclk": In(1), "aresetn": In(1), "frame_error": Out(1)}
        members |= axis_members("s_axis", unit.gradient, unit.lanes, sink=True)
        members |= axi_lite_members("s_axi", ADDRESS_BITS)
        if product is None:
            size = lane_bytes(unit.gradient) + lane_bytes(index_format(unit))
            word = IntFormat(bits=8, signed=False)
            members |= axis_members("m_axis", word, size * unit.issue, sink=False)
        else:
            members |= axis_members("m_axis", product.output.format, product.rows, sink=False)
            if product.loadable:
                members |= axis_members("s_axis_weights", product.weight, product.rows, sink=True)
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        reset = Signal()
        add_domains(m, self, reset)
        unit, product = self.unit, self.unit.product
        skip = ZeroSkipConfig.from_unit(unit)
        block: ZeroSkipper | SparseMatVec
        if product is None:
            block = ZeroSkipper(skip)
        else:
            block = SparseMatVec(SparseMatVecConfig.from_unit(unit))
        m.submodules.unit = block

        counters = SkipCounters(skip, most=3 * skip.groups + unit.depth + 32)
        m.submodules.counters = counters
        accept = Signal()
        sent = Signal()
        admit = Signal()
        loading = Signal()
        last = Signal()
        beat = Beat(unit.gradient, unit.lanes)
        m.submodules.framer = framer = Framer(layout_of(beat), beats=unit.beats)
        framers = [framer]
        frames(m, self, "s_axis", beat, framer.i)
        m.d.comb += [
            block.i.payload.eq(framer.o.payload),
            block.i.valid.eq(framer.o.valid & admit),
            framer.o.ready.eq(block.i.ready & admit),
            accept.eq(block.i.valid & block.i.ready),
            self.m_axis_tvalid.eq(block.o.valid),
            block.o.ready.eq(self.m_axis_tready),
            self.m_axis_tlast.eq(last),
            sent.eq(block.o.valid & block.o.ready & last),
            counters.offered.eq(block.i.valid),
            counters.accepted.eq(accept),
            counters.kept.eq(block.kept),
            counters.ends.eq(block.ends),
            counters.sent.eq(sent),
        ]
        if product is None:
            pairs = [
                part
                for k in range(unit.issue)
                for part in (
                    pack([block.o.payload.pairs[k].value], unit.gradient, 1),
                    pack([block.o.payload.pairs[k].index], index_format(unit), 1),
                )
            ]
            m.d.comb += [
                self.m_axis_tdata.eq(Cat(pairs)),
                last.eq(block.o.payload.last),
                admit.eq(1),
                counters.waiting.eq(block.o.valid),
                counters.taken.eq(block.o.valid & block.o.ready),
                counters.finished.eq(sent),
            ]
        else:
            moved = block.o.valid & block.o.ready
            m.d.comb += [
                self.m_axis_tdata.eq(pack(block.o.payload, product.output.format, product.rows)),
                last.eq(count_beats(m, moved, product.tiles, "m_axis")),
                counters.waiting.eq(block.waiting),
                counters.taken.eq(block.taken),
                counters.finished.eq(block.finished),
            ]
            if product.loadable:
                word = Beat(product.weight, product.rows)
                sets = Framer(layout_of(word), beats=product.tiles * unit.items)
                m.submodules.weights_framer = sets
                framers.append(sets)
                frames(m, self, "s_axis_weights", word, sets.i)
                load_between(
                    m,
                    sets,
                    block.weights,
                    Value.cast(sets.o.payload),
                    idle=counters.idle,
                    accept=accept,
                    ends=block.ends,
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
        file = self._registers(m, block, counters, loading)
        m.d.comb += [
            reset.eq(file.control[1]),
            errors.clear.eq(file.control[1:].any()),
            file.frame_errors.eq(errors.count),
        ]
        return m

    def _registers(
        self,
        m: Module,
        block: ZeroSkipper | SparseMatVec,
        counters: SkipCounters,
        loading: Value,
    ) -> AxiLiteRegisters:
        """Connect the register file to port, counters and threshold."""
        registers = registers_of(self.unit)
        file = AxiLiteRegisters(registers, address_bits=ADDRESS_BITS)
        m.submodules.registers = DomainRenamer(KEPT)(file)
        connect_axi_lite(m, file, self, "s_axi")
        m.d.comb += [
            file.version.eq(VERSION),
            file.status.eq(Cat(counters.idle, self.frame_error, loading)),
            counters.clear.eq(file.control[0]),
            block.threshold.eq(file.threshold),
            file.conflict.eq(0),
            *(
                getattr(file, name).eq(getattr(counters, name))
                for name in COUNTERS
                if name != "conflict"
            ),
        ]
        return file
