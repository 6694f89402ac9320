"""The greatest of each lane over several beats, for max pooling."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fxsim.hw.blocks.arith import is_zero
from fxsim.hw.blocks.layouts import layout_of
from fxsim.plan.elementwise import GreatestConfig


class Greatest(wiring.Component):
    """Greatest integer of each lane over ``beats`` beats.

    Parameters
    ----------
    config : GreatestConfig

    Members
    -------
    i : In(stream of beats)
    o : Out(stream of beats)

    Latency is 1 cycle from the last beat; one beat a cycle.
    """

    latency = 1

    def __init__(self, config: GreatestConfig):
        self._beats = config.beats
        signature = stream.Signature(layout_of(config.beat))
        super().__init__({"i": In(signature), "o": Out(signature)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beat = Signal(range(self._beats))
        last = Signal()
        accept = Signal()
        m.d.comb += [
            self.i.ready.eq(~self.o.valid | self.o.ready),
            accept.eq(self.i.valid & self.i.ready),
            last.eq(beat == self._beats - 1),
        ]
        best = Signal.like(self.o.payload, reset_less=True)
        m.d.comb += self.o.payload.eq(best)
        with m.If(self.i.ready):
            m.d.sync += self.o.valid.eq(self.i.valid & last)
        with m.If(accept):
            m.d.sync += beat.eq(Mux(last, 0, beat + 1))
            for lane in range(self.i.payload.shape().length):
                new, old = self.i.payload[lane], best[lane]
                m.d.sync += old.eq(Mux(is_zero(beat) | (new > old), new, old))
        return m
