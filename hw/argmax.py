"""The place of the greatest of a vector's integers."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fxsim.formats import IntFormat
from fxsim.hw.arith import is_zero
from fxsim.hw.chain import Chain
from fxsim.hw.layouts import beat_of
from fxsim.network import Argmax


class GreatestPlace(wiring.Component):
    """Index of the greatest of ``items`` integers, the lowest of equals.

    Parameters
    ----------
    fmt, place : IntFormat
        Formats of a lane and of the index.
    lanes : int
        Lanes of a beat.
    beats : int
        Beats of a vector.

    Members
    -------
    i : In(stream of beats)
    o : Out(stream of one index)

    Latency is 1 cycle from the last beat; one beat a cycle.
    """

    latency = 1

    def __init__(self, *, fmt: IntFormat, place: IntFormat, lanes: int, beats: int):
        self._lanes, self._beats = lanes, beats
        super().__init__(
            {
                "i": In(stream.Signature(beat_of(fmt, lanes))),
                "o": Out(stream.Signature(beat_of(place, 1))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        lanes, beats = self._lanes, self._beats
        beat, last, accept = Signal(range(beats)), Signal(), Signal()
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

    def _greatest(self, m, candidates):
        """Value and lane of the greatest, by a tree in which a lower lane wins a tie."""
        while len(candidates) > 1:
            winners = []
            for low, high in zip(candidates[::2], candidates[1::2], strict=False):
                beaten = Signal(name=f"lane{len(candidates)}_{len(winners)}")
                m.d.comb += beaten.eq(high[0] > low[0])
                winners.append(tuple(Mux(beaten, *pair) for pair in zip(high, low, strict=True)))
            candidates = winners + candidates[len(winners) * 2 :]
        return candidates[0]


class Classifier(Chain):
    """A `fxsim.network.Argmax` as a stream block.

    Parameters
    ----------
    layer : Argmax
    lanes_in : int
        Lanes of the input stream.

    Members
    -------
    i : In(stream of ``lanes_in`` values, one for each class)
    o : Out(stream of one index)

    One vector in items / lanes cycles.
    """

    layer: Argmax

    def blocks(self):
        """Name and block, in the order of the data."""
        layer = self.layer
        yield from self.resized_input(layer.items)
        yield (
            "greatest",
            GreatestPlace(
                fmt=layer.input.format,
                place=layer.output.format,
                lanes=layer.lanes,
                beats=layer.items // layer.lanes,
            ),
        )
