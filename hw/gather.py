"""The pairs of several beats -> full groups of ``issue`` pairs."""

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.pairs import ZeroSkipConfig


class Gather(wiring.Component):
    """Hand out pairs in groups of ``issue``; only the last group of a vector may hold fewer.

    Parameters
    ----------
    config : ZeroSkipConfig

    Members
    -------
    i : In(stream of entries, see `ZeroSkipConfig.entry`)
        Entries without pairs must be the only one of their vector.
    o : Out(stream of groups, see `ZeroSkipConfig.group`)

    Latency is 1 cycle from the entry that completes a group. One entry a cycle where they have at
    most ``issue`` pairs, and one group a cycle where they have more.
    """

    def __init__(self, config: ZeroSkipConfig):
        self._config = config
        super().__init__(
            {
                "i": In(stream.Signature(config.entry)),
                "o": Out(stream.Signature(config.group)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        lanes, issue = self._config.lanes, self._config.issue
        pair = self._config.pair.size

        # Pairs that are left over from former entries; slots without one are 0, after reset too.
        window = Signal(max(lanes - 1, 1) * pair)
        level = Signal(range(max(lanes, 2)))
        ending = Signal()  # the left over pairs are the last ones of their vector

        advance, take, end, emit = Signal(), Signal(), Signal(), Signal()
        total = Signal(range(issue + lanes))
        pairs = Signal((issue + lanes - 1) * pair)
        entry = self.i.payload.pairs.as_value()
        shifted = [Mux(level == k, entry << k * pair, 0) for k in range(issue)]
        m.d.comb += [
            advance.eq(~self.o.valid | self.o.ready),
            take.eq(self.i.valid & ~ending & (level < issue)),
            self.i.ready.eq(advance & ~ending & (level < issue)),
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
