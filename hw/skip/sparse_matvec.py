"""Transposed matrix-vector product of sparse gradients: y = sum of d_j * W[j, :]."""

from dataclasses import dataclass
from typing import Self

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fxsim.errors import ConfigError
from fxsim.hw.blocks import requantizer
from fxsim.hw.blocks.layouts import beat_of
from fxsim.hw.skip.pairs import ZeroSkipConfig
from fxsim.hw.skip.replay import ReplayBuffer
from fxsim.hw.skip.sparse_mac import SparseMac, SparseMacConfig
from fxsim.hw.skip.zero_skip import ZeroSkipper
from fxsim.network import Activation, Tail
from fxsim.network.skip_unit import SkipUnit
from fxsim.plan.requantizer import RequantizerConfig


@dataclass(frozen=True, kw_only=True, eq=False)
class SparseMatVecConfig(SparseMacConfig):
    """Configuration of a `SparseMatVec`, with that of its `fxsim.hw.skip.sparse_mac.SparseMac`.

    Parameters
    ----------
    tail : Tail
        What brings accumulators to the format of the output.
    output : Activation
    """

    tail: Tail
    output: Activation

    @classmethod
    def from_unit(cls, unit: SkipUnit) -> Self:
        """Configuration of the product of ``unit``, which must have one."""
        product = unit.product
        if product is None:
            raise ConfigError(f"{unit.name}: product must not be None")
        return cls(
            skip=ZeroSkipConfig.from_unit(unit),
            rows=product.rows,
            weight=product.weight,
            weights=product.weights,
            tail=product.tail,
            output=product.output,
            loadable=product.loadable,
            dsp=product.dsp,
            memory=product.memory,
            name=unit.name,
        )

    @property
    def requantizing(self) -> RequantizerConfig:
        """Configuration of the requantizer, as wide as the array."""
        return RequantizerConfig.of(
            self.tail,
            lanes=self.rows,
            items=self.outputs,
            accumulator=self.accumulator,
            output=self.output,
        )


class SparseMatVec(wiring.Component):
    """Product of a sparse vector and a matrix, in cycles that follow the non-zeros.

    The pairs of a vector are kept and replayed for each tile of ``rows`` outputs, whose
    accumulators stay in place.

    Parameters
    ----------
    config : SparseMatVecConfig

    Members
    -------
    i : In(stream of ``lanes`` gradients)
        Lanes beyond the vector's end are ignored.
    o : Out(stream of ``rows`` outputs)
        ``tiles`` beats a vector, for a vector of zeros too.
    weights : In(stream of ``rows`` weights)
        With ``loadable`` only: all words of the weight memory, in the order of
        `SparseMatVecConfig.weight_words`, and over again. A word counts from the next cycle on,
        and is unknown in that of its writing.
    threshold : In(unsigned)
        With ``skip.threshold`` only, see `fxsim.hw.skip.zero_skip.ZeroSkipper`.
    kept, ends : Out
        See `fxsim.hw.skip.zero_skip.ZeroSkipper`; for counters, as are the next three.
    waiting, taken, finished : Out(1)
        Whether a group is offered to the array, whether it takes one, and whether that is the last
        one of the last tile of its vector.

    Latency is `latency` cycles from a tile's last group at the array to the tile's output. A vector
    with n non-zeros occupies the array for max(ceil(n / issue), 1) * tiles cycles, and vectors
    follow one another without a bubble; `fxsim.timing.skip_unit` knows the exact cycles.
    """

    def __init__(self, config: SparseMatVecConfig):
        self._config = config
        self._skipper = ZeroSkipper(config.skip)
        self._array = SparseMac(config)
        self._requantizer = requantizer.Requantizer(config.requantizing)
        members = {
            "i": In(stream.Signature(beat_of(config.skip.gradient, config.skip.lanes))),
            "o": Out(stream.Signature(beat_of(config.output.format, config.rows))),
            "kept": Out(config.skip.lanes),
            "ends": Out(1),
            "waiting": Out(1),
            "taken": Out(1),
            "finished": Out(1),
        }
        if config.skip.threshold:
            members["threshold"] = In(config.skip.magnitude)
        if config.loadable:
            members["weights"] = In(stream.Signature(beat_of(config.weight, config.rows)))
        super().__init__(members)

    @property
    def latency(self) -> int:
        """Cycles from a tile's last group, at the array, to the tile's output."""
        return self._array.latency + self._requantizer.latency

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.skipper = skipper = self._skipper
        m.submodules.buffer = buffer = ReplayBuffer(self._config.skip, tiles=self._config.tiles)
        m.submodules.array = self._array
        m.submodules.requantizer = self._requantizer
        wiring.connect(m, wiring.flipped(self.i), skipper.i)
        wiring.connect(m, skipper.o, buffer.i)
        wiring.connect(m, buffer.o, self._array.i)
        wiring.connect(m, self._array.o, self._requantizer.i)
        wiring.connect(m, self._requantizer.o, wiring.flipped(self.o))
        if self._config.skip.threshold:
            m.d.comb += skipper.threshold.eq(self.threshold)
        if self._config.loadable:
            wiring.connect(m, wiring.flipped(self.weights), self._array.weights)
        m.d.comb += [
            self.kept.eq(skipper.kept),
            self.ends.eq(skipper.ends),
            self.waiting.eq(buffer.o.valid),
            self.taken.eq(buffer.o.valid & buffer.o.ready),
            self.finished.eq(buffer.finished),
        ]
        return m
