"""A product with the transposed weights of a layer, as the backward pass cuts it."""

from dataclasses import dataclass, replace

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fxsim.arithmetic.formats import IntFormat, Rounding
from fxsim.arithmetic.stochastic import WORD_BITS, Stochastic
from fxsim.errors import ConfigError
from fxsim.hw.backward.gradient_cut import GradientCut
from fxsim.hw.backward.pair_scaler import PairScaler
from fxsim.hw.backward.steps import STEP_BITS
from fxsim.hw.blocks.layouts import beat_of
from fxsim.hw.build import build
from fxsim.hw.skip.sparse_mac import SparseMac, SparseMacConfig
from fxsim.network import IntArray
from fxsim.plan.beat import Beat
from fxsim.plan.chain import resizes


@dataclass(frozen=True, kw_only=True, eq=False)
class TransposedConfig(SparseMacConfig):
    """Configuration of a `Transposed`, beyond that of a `fxsim.hw.skip.sparse_mac.SparseMac`.

    Parameters
    ----------
    lanes : int
        Outputs of a beat.
    multipliers : int64 array, shape (items,)
        Of the rows of the weights.
    shift : int
    rounding : Rounding or Stochastic
    number : int
        Of the cut, for stochastic rounding.
    output : IntFormat
    """

    lanes: int
    multipliers: IntArray
    shift: int
    rounding: Rounding | Stochastic
    number: int
    output: IntFormat

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.lanes < 1:
            raise ConfigError(f"lanes must be at least 1, not {self.lanes}")

    @property
    def common(self) -> int | None:
        """The multiplier of all rows, if there is one."""
        values = set(self.multipliers.tolist())
        return values.pop() if len(values) == 1 else None


class Transposed(wiring.Component):
    """y[k] = S(R(sum over j of d_j * m_j * W[j, k])), d as pairs.

    Where the multipliers differ, each pair is multiplied by its own before the product; where they
    are one, each sum is. The array yields ``rows`` sums at a time, which ``lanes`` rounding units
    take one group after another while it works on.

    Parameters
    ----------
    config : TransposedConfig

    Members
    -------
    i : In(stream of groups, see `ZeroSkipConfig.group`)
        Each vector ``tiles`` times over.
    o : Out(stream of ``lanes`` outputs)
    steps : In(unsigned), seed : In(32)
        With stochastic rounding only; must hold still from reset on.

    One group a cycle, as long as ceil(outputs / lanes) cycles are enough for a vector.
    """

    def __init__(self, config: TransposedConfig):
        self._config = config
        self._stochastic = isinstance(config.rounding, Stochastic)
        members = {
            "i": In(stream.Signature(config.skip.group)),
            "o": Out(stream.Signature(beat_of(config.output, config.lanes))),
        }
        if self._stochastic:
            members |= {"steps": In(STEP_BITS), "seed": In(WORD_BITS)}
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        source, skip = wiring.flipped(self.i), config.skip
        if config.common is None:
            m.submodules.scaler = scaler = PairScaler(skip, multipliers=config.multipliers)
            wiring.connect(m, source, scaler.i)
            source, skip = scaler.o, scaler.scaled
        scaled = replace(config, skip=skip)
        m.submodules.array = array = SparseMac(scaled)
        wiring.connect(m, source, array.i)
        source = array.o
        sums = Beat(scaled.accumulator, config.rows)
        for name, record in resizes(sums, lanes=config.lanes, items=config.outputs):
            m.submodules[name] = block = build(record)
            wiring.connect(m, source, block.i)
            source = block.o
        m.submodules.cut = cut = GradientCut(
            sums=scaled.accumulator,
            output=config.output,
            items=config.outputs,
            lanes=config.lanes,
            multiplier=1 if config.common is None else config.common,
            shift=config.shift,
            rounding=config.rounding,
            number=config.number,
        )
        wiring.connect(m, source, cut.i)
        wiring.connect(m, cut.o, wiring.flipped(self.o))
        if self._stochastic:
            m.d.comb += [cut.steps.eq(self.steps), cut.seed.eq(self.seed)]
        return m
