"""The pairs of several pieces -> full groups of ``issue`` pairs."""

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fxsim.hw.skip.pairs import ZeroSkipConfig


class Gather(wiring.Component):
    """Hand out pairs in groups of ``issue``; only the last group of a vector may hold fewer.

    Parameters
    ----------
    config : ZeroSkipConfig

    Members
    -------
    i : In(stream of pieces, see `ZeroSkipConfig.piece`)
        Pieces without pairs must be the only one of their vector.
    o : Out(stream of groups, see `ZeroSkipConfig.group`)

    Latency is 1 cycle from the piece that completes a group. One piece a cycle, but for the end of
    a vector with more pairs than fit one group.
    """

    def __init__(self, config: ZeroSkipConfig):
        self._config = config
        super().__init__(
            {
                "i": In(stream.Signature(config.piece)),
                "o": Out(stream.Signature(config.group)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        issue, pair = self._config.issue, self._config.pair.size

        # Pairs that are left over from former pieces; slots without one are 0, after reset too.
        window = Signal(max(issue - 1, 1) * pair)
        level = Signal(range(max(issue, 2)))
        ending = Signal()  # the left over pairs are the last ones of their vector

        advance = Signal()
        take = Signal()
        end = Signal()
        emit = Signal()
        total = Signal(range(2 * issue))
        pairs = Signal((2 * issue - 1) * pair)
        piece = self.i.payload.pairs.as_value()
        shifted = [Mux(level == k, piece << k * pair, 0) for k in range(issue)]
        m.d.comb += [
            advance.eq(~self.o.valid | self.o.ready),
            take.eq(self.i.valid & ~ending),
            self.i.ready.eq(advance & ~ending),
            total.eq(level + Mux(take, self.i.payload.count, 0)),
            end.eq(ending | (take & self.i.payload.last)),
            emit.eq(end | (total >= issue)),
            pairs.eq(window | Mux(take, reduce(or_, shifted), 0)),
        ]
        fits = total <= issue
        with m.If(advance):
            m.d.sync += [
                self.o.valid.eq(emit),
                window.eq(Mux(emit, pairs[issue * pair :], pairs)),
                level.eq(Mux(emit, Mux(fits, 0, total - issue), total)),
                ending.eq(end & ~fits),
            ]
        group = Signal(self._config.group.size, reset_less=True)
        with m.If(advance):
            m.d.sync += group.eq(Cat(pairs[: issue * pair], end & fits))
        m.d.comb += self.o.payload.eq(group)
        return m
