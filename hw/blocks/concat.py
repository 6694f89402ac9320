"""Streams one after the other, pixel by pixel."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fxsim.hw.blocks.arith import equals
from fxsim.hw.blocks.layouts import layout_of
from fxsim.plan.buffers import ConcatConfig


class Concat(wiring.Component):
    """Pass ``counts[0]`` beats of the first stream, ``counts[1]`` of the second, and so on.

    After the last stream it is the first one's turn again. A stream waits while it is not its turn.

    Parameters
    ----------
    config : ConcatConfig

    Members
    -------
    i0, i1, ... : In(stream of beats)
    o : Out(stream of beats)

    Latency is 1 cycle; one beat a cycle, without a bubble between streams or turns.
    """

    latency = 1

    def __init__(self, config: ConcatConfig):
        self._counts = config.counts
        signature = stream.Signature(layout_of(config.beat))
        inputs = {f"i{k}": In(signature) for k in range(len(config.counts))}
        super().__init__(inputs | {"o": Out(signature)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        streams = [getattr(self, f"i{k}") for k in range(len(self._counts))]
        turn = Signal(range(len(streams)))
        beat = Signal(range(max(self._counts)))  # of this turn
        advance = Signal()
        valid = Signal()
        accept = Signal()
        last = Signal()
        m.d.comb += [
            advance.eq(~self.o.valid | self.o.ready),
            accept.eq(advance & valid),
        ]

        chosen, offered, ends = streams[0].payload.as_value(), 0, 0
        for k, (source, count) in enumerate(zip(streams, self._counts, strict=True)):
            here = equals(turn, k)
            m.d.comb += source.ready.eq(advance & here)
            chosen = Mux(here, source.payload.as_value(), chosen)
            offered |= here & source.valid
            ends |= here & equals(beat, count - 1)
        m.d.comb += [valid.eq(offered), last.eq(ends)]

        with m.If(accept):
            m.d.sync += beat.eq(Mux(last, 0, beat + 1))
            with m.If(last):
                m.d.sync += turn.eq(Mux(turn == len(streams) - 1, 0, turn + 1))

        word = Signal(self.o.payload.shape().size, reset_less=True)
        m.d.comb += self.o.payload.eq(word)
        with m.If(advance):
            m.d.sync += [self.o.valid.eq(valid), word.eq(chosen)]
        return m
