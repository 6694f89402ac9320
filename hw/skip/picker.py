"""Marked beats -> their pairs, up to ``issue`` a cycle, packed to the low lanes."""

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fxsim.hw.skip.pairs import ZeroSkipConfig


class Picker(wiring.Component):
    """Take the pairs out of a beat in order, and drop the beat with the last of them.

    Beats are kept as they come, so that the queue in front holds no indices, and the only crossbar
    is as narrow as ``issue``.

    Parameters
    ----------
    config : ZeroSkipConfig

    Members
    -------
    i : In(stream of beats, see `ZeroSkipConfig.marked`)
        Beats without marks must be the only one of their vector.
    o : Out(stream of pieces, see `ZeroSkipConfig.piece`)
        ``last`` marks a vector's last pairs.

    Latency is 1 cycle; a beat with n marks takes max(ceil(n / issue), 1) cycles.
    """

    def __init__(self, config: ZeroSkipConfig):
        self._config = config
        super().__init__(
            {
                "i": In(stream.Signature(config.marked)),
                "o": Out(stream.Signature(config.piece)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, beat = self._config, self.i.payload
        lanes, issue = config.lanes, config.issue
        left = Signal(lanes, init=-1)  # lanes of this beat that are still to be looked at
        keep = Signal(lanes)
        advance = Signal()
        done = Signal()
        m.d.comb += [
            advance.eq(~self.o.valid | self.o.ready),
            keep.eq(beat.keep & left),
            self.i.ready.eq(advance & done),
        ]

        # taken[s] has the lane of pair s: the lowest one that no slot before it has taken.
        rest, taken = keep, []
        for slot in range(issue):
            lower = Cat(rest[:lane].any() for lane in range(lanes))
            first = Signal(lanes, name=f"first_{slot}")
            m.d.comb += first.eq(rest & ~lower)
            taken.append(first)
            behind = Signal(lanes, name=f"behind_{slot}")
            m.d.comb += behind.eq(rest & lower)
            rest = behind
        m.d.comb += done.eq(~rest.any())

        piece = Signal(config.piece)
        for slot, first in enumerate(taken):
            pair = piece.pairs[slot]
            value = reduce(or_, (Mux(first[lane], beat.values[lane], 0) for lane in range(lanes)))
            place = Cat(
                Cat(first[lane] for lane in range(lanes) if lane >> bit & 1).any()
                for bit in range((lanes - 1).bit_length())
            )
            index = beat.beat * lanes + place
            m.d.comb += [pair.value.eq(value), pair.index.eq(Mux(first.any(), index, 0))]
        m.d.comb += [
            piece.count.eq(sum((first.any() for first in taken), Const(0))),
            piece.last.eq(beat.last & done),
        ]
        with m.If(advance):
            m.d.sync += [self.o.valid.eq(self.i.valid), self.o.payload.eq(piece)]
            with m.If(self.i.valid):
                m.d.sync += left.eq(Mux(done, -1, rest))
        return m
