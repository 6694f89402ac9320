"""Outer product of sparse gradients and activations: dW[j, :] += d_j * x[:] where d_j is not 0."""

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fxsim.hw.backward.outer_accumulator import COUNT_BITS, OuterAccumulator, OuterConfig
from fxsim.hw.blocks.layouts import beat_of
from fxsim.hw.skip.replay import ReplayBuffer
from fxsim.hw.skip.zero_skip import ZeroSkipper


class SparseOuterProduct(wiring.Component):
    """Sum of outer products over many vectors, in cycles that follow the non-zeros.

    The pairs of a vector are kept and replayed for each tile of ``columns`` values of x, which
    stays in place; the sums live in a memory.

    Parameters
    ----------
    config : OuterConfig

    Members
    -------
    i : In(stream of ``lanes`` gradients)
        Lanes beyond the vector's end are ignored.
    x : In(stream of ``columns`` activations)
        A vector for each one of ``i``; lanes beyond its end are ignored.
    o : Out(stream of ``columns`` accumulators)
        After every ``vectors`` vectors, see `OuterAccumulator`.
    vectors : In(unsigned)
        At least 1; must hold still from reset on.
    threshold : In(unsigned)
        With ``skip.threshold`` only, see `fxsim.hw.skip.zero_skip.ZeroSkipper`.

    A vector with n non-zeros occupies the accumulators for max(n, 1) * tiles cycles, and vectors
    follow one another without a bubble; `fxsim.timing.lstm_gradient` knows the exact cycles.
    """

    def __init__(self, config: OuterConfig):
        self._config = config
        self._skipper = ZeroSkipper(config.skip)
        self._accumulator = OuterAccumulator(config)
        members = {
            "i": In(stream.Signature(beat_of(config.skip.gradient, config.skip.lanes))),
            "x": In(stream.Signature(beat_of(config.source.format, config.columns))),
            "o": Out(stream.Signature(beat_of(config.accumulator, config.columns))),
            "vectors": In(COUNT_BITS),
        }
        if config.skip.threshold:
            members["threshold"] = In(config.skip.magnitude)
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.skipper = skipper = self._skipper
        m.submodules.buffer = buffer = ReplayBuffer(self._config.skip, tiles=self._config.tiles)
        m.submodules.accumulator = accumulator = self._accumulator
        wiring.connect(m, wiring.flipped(self.i), skipper.i)
        wiring.connect(m, skipper.o, buffer.i)
        wiring.connect(m, buffer.o, accumulator.i)
        wiring.connect(m, wiring.flipped(self.x), accumulator.x)
        wiring.connect(m, accumulator.o, wiring.flipped(self.o))
        m.d.comb += accumulator.vectors.eq(self.vectors)
        if self._config.skip.threshold:
            m.d.comb += skipper.threshold.eq(self.threshold)
        return m
