"""Change the number of lanes of a stream of vectors."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fxsim.hw.blocks.arith import is_zero
from fxsim.hw.blocks.layouts import layout_of
from fxsim.plan.resize import NarrowConfig, WidenConfig


class _Resize(wiring.Component):
    def __init__(self, config: WidenConfig | NarrowConfig):
        self._parts, self._slim_beats = config.parts, config.slim_beats
        super().__init__(
            {
                "i": In(stream.Signature(layout_of(config.i))),
                "o": Out(stream.Signature(layout_of(config.o))),
            }
        )

    def _part_counter(self, m: Module, step: Value) -> tuple[Signal, Signal]:
        """Part of the wide word that the next slim beat is, and whether it is the word's last."""
        part = Signal(range(self._parts))
        beat = Signal(range(self._slim_beats))
        ends_vector = beat == self._slim_beats - 1
        last = Signal()
        m.d.comb += last.eq((part == self._parts - 1) | ends_vector)
        with m.If(step):
            m.d.sync += [
                part.eq(Mux(last, 0, part + 1)),
                beat.eq(Mux(ends_vector, 0, beat + 1)),
            ]
        return part, last


class Narrow(_Resize):
    """Split wide beats into several slim ones; lanes beyond the vector's end are dropped.

    Parameters
    ----------
    config : NarrowConfig

    Members
    -------
    i : In(stream of wide beats)
    o : Out(stream of slim beats)
        One without any item of a vector is not sent.

    Latency is 1 cycle; one slim beat a cycle, without a bubble between words.
    """

    latency = 1

    def elaborate(self, platform: object) -> Module:
        m = Module()
        word = Signal(self.i.payload.shape(), reset_less=True)
        full = Signal()
        take = Signal()
        m.d.comb += take.eq(self.o.valid & self.o.ready)
        part, last = self._part_counter(m, take)
        width = len(self.o.payload.as_value())
        m.d.comb += [
            # Not a Switch: Icarus would show X until its operands change for the first time.
            self.o.payload.eq((word.as_value() >> part * width)[:width]),
            self.o.valid.eq(full),
            self.i.ready.eq(~full | (take & last)),
        ]
        with m.If(self.i.ready):
            m.d.sync += full.eq(self.i.valid)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += word.eq(self.i.payload)
        return m


class Widen(_Resize):
    """Gather slim beats into wide ones; lanes beyond the vector's end are 0.

    Parameters
    ----------
    config : WidenConfig

    Members
    -------
    i : In(stream of slim beats)
    o : Out(stream of wide beats)
        The last one of a vector is sent as soon as its items are there.

    Latency is 1 cycle from a word's last slim beat; one slim beat a cycle.
    """

    latency = 1

    def elaborate(self, platform: object) -> Module:
        m = Module()
        accept = Signal()
        m.d.comb += [
            self.i.ready.eq(~self.o.valid | self.o.ready),
            accept.eq(self.i.valid & self.i.ready),
        ]
        part, last = self._part_counter(m, accept)
        width = len(self.i.payload.as_value())
        word = Signal(self.o.payload.shape().size, reset_less=True)
        m.d.comb += self.o.payload.eq(word)
        with m.If(self.i.ready):
            m.d.sync += self.o.valid.eq(self.i.valid & last)
        with m.If(accept):
            with m.If(is_zero(part)):
                m.d.sync += word.eq(0)
            with m.Switch(part):
                for k in range(self._parts):
                    with m.Default() if k == self._parts - 1 else m.Case(k):
                        m.d.sync += word.word_select(k, width).eq(self.i.payload)
        return m
