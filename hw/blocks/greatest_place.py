"""The place of the greatest of a vector's integers."""

from collections.abc import Sequence

from amaranth.hdl import Module, Mux, Signal, ValueLike
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fxsim.hw.blocks.arith import is_zero
from fxsim.hw.blocks.layouts import layout_of
from fxsim.plan.elementwise import GreatestPlaceConfig

Candidate = tuple[ValueLike, ValueLike]
"""A value and its lane."""


class GreatestPlace(wiring.Component):
    """Index of the greatest of a vector's integers, the lowest of equals.

    Parameters
    ----------
    config : GreatestPlaceConfig

    Members
    -------
    i : In(stream of beats)
    o : Out(stream of one index)

    Latency is 1 cycle from the last beat; one beat a cycle.
    """

    latency = 1

    def __init__(self, config: GreatestPlaceConfig):
        self._lanes, self._beats = config.lanes, config.beats
        super().__init__(
            {
                "i": In(stream.Signature(layout_of(config.i))),
                "o": Out(stream.Signature(layout_of(config.o))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lanes, beats = self._lanes, self._beats
        beat = Signal(range(beats))
        last = Signal()
        accept = Signal()
        first = Signal(range((beats - 1) * lanes + 1))  # place of the beat's lane 0
        m.d.comb += [
            self.i.ready.eq(~self.o.valid | self.o.ready),
            accept.eq(self.i.valid & self.i.ready),
            last.eq(beat == beats - 1),
        ]
        value, lane = self._greatest(m, [(self.i.payload[k], k) for k in range(lanes)])
        best = Signal.like(self.i.payload[0], reset_less=True)
        place = Signal.like(self.o.payload[0], reset_less=True)
        m.d.comb += self.o.payload[0].eq(place)
        with m.If(self.i.ready):
            m.d.sync += self.o.valid.eq(self.i.valid & last)
        with m.If(accept):
            m.d.sync += [beat.eq(Mux(last, 0, beat + 1)), first.eq(Mux(last, 0, first + lanes))]
            with m.If(is_zero(beat) | (value > best)):
                m.d.sync += [best.eq(value), place.eq(first + lane)]
        return m

    def _greatest(self, m: Module, candidates: Sequence[Candidate]) -> Candidate:
        """Value and lane of the greatest, by a tree in which a lower lane wins a tie."""
        while len(candidates) > 1:
            winners: list[Candidate] = []
            for low, high in zip(candidates[::2], candidates[1::2], strict=False):
                beaten = Signal(name=f"lane{len(candidates)}_{len(winners)}")
                m.d.comb += beaten.eq(high[0] > low[0])
                value, lane = (Mux(beaten, *pair) for pair in zip(high, low, strict=True))
                winners.append((value, lane))
            candidates = [*winners, *candidates[len(winners) * 2 :]]
        return candidates[0]
