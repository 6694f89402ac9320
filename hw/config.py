"""Frozen configurations of the blocks, built from a layer and validated."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

import numpy as np

from fxsim.errors import ConfigError
from fxsim.formats import AccumulatorMode, IntFormat, MemoryStyle, Overflow, Rounding
from fxsim.memory import WeightMemory
from fxsim.network import (
    Activation,
    Folding,
    IntArray,
    QuantizedAdd,
    QuantizedLinear,
    Requantizer,
    varies,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class MacArrayConfig:
    """What a `fxsim.hw.mac_array.MacArray` needs to know.

    Parameters
    ----------
    rows, simd : int
        Output and input lanes; a layer that they do not divide is padded with zero weights.
    activation, weight, accumulator : IntFormat
        Formats of the operands and of the running sum.
    mode : AccumulatorMode
        What the accumulator does after each beat.
    weights : int64 array, shape (outputs, inputs)
    bias : int64 array, shape (outputs,)
        Start value of each accumulator.
    dsp : bool
        Whether multipliers are meant for DSP blocks or for LUTs.
    memory : MemoryStyle
        What the weight memory is made of; `fxsim.memory.WeightMemory` says what AUTO becomes.
    name : str
        Of the weight memory, and of the file that fills it.

    Raises
    ------
    ConfigError
        If a size or a width is out of range.
    """

    rows: int
    simd: int
    activation: IntFormat
    weight: IntFormat
    accumulator: IntFormat
    mode: AccumulatorMode
    weights: IntArray
    bias: IntArray
    dsp: bool = True
    memory: MemoryStyle = MemoryStyle.AUTO
    name: str = "mac_array"

    def __post_init__(self) -> None:
        for key in ("rows", "simd"):
            if getattr(self, key) < 1:
                raise ConfigError(f"{key} must be at least 1, not {getattr(self, key)}")
        if not self.accumulator.signed:
            raise ConfigError(f"accumulator must be signed, not {self.accumulator}")
        if self.weights.min() < self.weight.min or self.weights.max() > self.weight.max:
            raise ConfigError(f"weights must be in {self.weight}")

    @classmethod
    def from_layer(cls, layer: QuantizedLinear) -> Self:
        """Configuration of the array that computes ``layer``."""
        return cls(
            rows=layer.folding.rows,
            simd=layer.folding.simd,
            activation=layer.input.format,
            weight=layer.weight_format,
            accumulator=layer.accumulator.format,
            mode=layer.accumulator.mode,
            weights=layer.weight,
            bias=layer.bias,
            dsp=layer.folding.dsp,
            memory=layer.folding.memory,
            name=layer.name,
        )

    @property
    def ternary(self) -> bool:
        """Whether weights are -1, 0 and +1 only, so that no multiplier is needed."""
        return self.weight.bits == 2 and self.weight.narrow

    @property
    def tiles(self) -> int:
        """Groups of ``rows`` outputs."""
        return -(-int(self.weights.shape[0]) // self.rows)

    @property
    def beats(self) -> int:
        """Beats of ``simd`` inputs in a vector."""
        return -(-int(self.weights.shape[1]) // self.simd)

    @cached_property
    def content(self) -> WeightMemory:
        """Weight memory: for each tile, for each beat, a word of ``rows`` x ``simd`` weights."""
        folding = Folding(rows=self.rows, simd=self.simd, memory=self.memory)
        return WeightMemory.holding(self.weights, self.weight.bits, folding, self.name)

    @cached_property
    def bias_words(self) -> list[list[int]]:
        """Memory content: for each tile, ``rows`` start values."""
        padded = np.zeros(self.tiles * self.rows, np.int64)
        padded[: len(self.bias)] = self.bias
        return padded.reshape(self.tiles, self.rows).tolist()


@dataclass(frozen=True, kw_only=True, eq=False)
class RequantizerConfig:
    """What a `fxsim.hw.requantizer.Requantizer` needs to know.

    Parameters
    ----------
    lanes : int
        Values of a beat.
    items : int
        Values of a vector; the last beat may be partly idle.
    accumulator : IntFormat
        Format of the input.
    output : Activation
        Format and zero point of the output.
    multiplier : int64 array, shape (1,) or (items,)
        Per tensor or per channel.
    multiplier_bits : int
        Word length of the multiplier, 0 for a plain shift.
    shift : int
    offset : int64 array, shape (1,) or (items,)
        Added to the product; per tensor or per channel.
    slack_bits : int
        Low bits that are cleared before the rounding.
    rounding : Rounding
    overflow : Overflow
    relu : bool

    Raises
    ------
    ConfigError
        If a size is out of range or the number of multipliers or offsets is wrong.
    """

    lanes: int
    items: int
    accumulator: IntFormat
    output: Activation
    multiplier: IntArray
    multiplier_bits: int
    shift: int
    offset: IntArray = field(default_factory=lambda: np.zeros(1, np.int64))
    slack_bits: int = 0
    rounding: Rounding
    overflow: Overflow
    relu: bool

    def __post_init__(self) -> None:
        for key in ("lanes", "items"):
            if getattr(self, key) < 1:
                raise ConfigError(f"{key} must be at least 1, not {getattr(self, key)}")
        for key in ("multiplier", "offset"):
            shape = getattr(self, key).shape
            if shape not in {(1,), (self.items,)}:
                raise ConfigError(f"{key} must have shape (1,) or ({self.items},), not {shape}")

    @classmethod
    def from_layer(cls, layer: QuantizedLinear, *, lanes: int | None = None) -> Self:
        """Configuration of the requantizer of ``layer``, by default just wide enough for it."""
        if layer.requantizer is None:
            raise ConfigError(f"{layer.name}: requantizer must not be None")
        return cls.of(
            layer.requantizer,
            lanes=lanes or layer.lanes_out,
            items=layer.outputs,
            accumulator=layer.accumulator.format,
            output=layer.output,
            relu=layer.relu,
        )

    @classmethod
    def of(
        cls,
        requantizer: Requantizer,
        *,
        lanes: int,
        items: int,
        accumulator: IntFormat,
        output: Activation,
        relu: bool,
    ) -> Self:
        """Configuration with the arithmetic of ``requantizer``."""
        return cls(
            lanes=lanes,
            items=items,
            accumulator=accumulator,
            output=output,
            multiplier=requantizer.multiplier,
            multiplier_bits=requantizer.multiplier_bits,
            shift=requantizer.shift,
            offset=requantizer.offset,
            slack_bits=requantizer.slack_bits,
            rounding=requantizer.rounding,
            overflow=requantizer.overflow,
            relu=relu,
        )

    @classmethod
    def behind_sum(cls, layer: QuantizedAdd) -> Self:
        """Configuration of what follows the sum of ``layer``: its operands are multiplied there."""
        return cls.of(
            replace(layer.requantizer, multiplier=np.ones(1, np.int64), multiplier_bits=0),
            lanes=layer.lanes,
            items=layer.shape[0],
            accumulator=layer.accumulator,
            output=layer.output,
            relu=layer.relu,
        )

    @property
    def per_channel(self) -> bool:
        """Whether the multiplier or the offset changes from beat to beat."""
        return varies(self.multiplier) or varies(self.offset)

    @property
    def scales(self) -> bool:
        """Whether anything comes before the shift: a multiplier or an offset."""
        return self.multiplier_bits > 0 or bool(self.offset.any())

    @property
    def product_bounds(self) -> tuple[int, int]:
        """Least and greatest value before the shift, of any accumulator and channel."""
        multiplier, offset = self.multiplier.astype(object), self.offset.astype(object)
        low = multiplier * self.accumulator.min + offset
        high = multiplier * self.accumulator.max + offset
        return int(low.min()), int(high.max())

    @property
    def beats(self) -> int:
        """Beats of a vector."""
        return -(-self.items // self.lanes)

    def words(self, constants: IntArray) -> list[list[int]]:
        """Memory content: for each beat of a vector, the constants of ``lanes`` channels."""
        padded = np.zeros(self.beats * self.lanes, np.int64)
        padded[: self.items] = constants
        return padded.reshape(self.beats, self.lanes).tolist()
