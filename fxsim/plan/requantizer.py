"""The record of a requantizer: from accumulators to activations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np

from fxsim.arithmetic.formats import IntFormat, Overflow, Rounding
from fxsim.errors import ConfigError
from fxsim.network import (
    Activation,
    IntArray,
    QuantizedAdd,
    QuantizedLinear,
    Tail,
    varies,
)
from fxsim.plan.beat import Beat, check_sizes


@dataclass(frozen=True, kw_only=True, eq=False)
class RequantizerConfig:
    """Configuration of a `fxsim.hw.blocks.requantizer.Requantizer`.

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
    below : int64 array, shape (1,) or (items,)
        Joins the offset of accumulators less than ``split``; per tensor or per channel.
    split : int
    slack_bits : int
        Low bits that are cleared before the rounding.
    rounding : Rounding
    overflow : Overflow
    relu : bool
    clamp : tuple of int, optional
        Least and greatest output, if its format is wider.

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
    below: IntArray = field(default_factory=lambda: np.zeros(1, np.int64))
    split: int = 0
    slack_bits: int = 0
    rounding: Rounding
    overflow: Overflow
    relu: bool
    clamp: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        check_sizes(self, "lanes", "items")
        for key in ("multiplier", "offset", "below"):
            shape = getattr(self, key).shape
            if shape not in {(1,), (self.items,)}:
                raise ConfigError(f"{key} must have shape (1,) or ({self.items},), not {shape}")

    @classmethod
    def from_layer(cls, layer: QuantizedLinear, *, lanes: int | None = None) -> Self:
        """Configuration of the requantizer of ``layer``, by default just wide enough for it."""
        if layer.tail is None:
            raise ConfigError(f"{layer.name}: tail must not be None")
        return cls.of(
            layer.tail,
            lanes=lanes or layer.lanes_out,
            items=layer.outputs,
            accumulator=layer.accumulator.format,
            output=layer.output,
        )

    @classmethod
    def of(
        cls,
        tail: Tail,
        *,
        lanes: int,
        items: int,
        accumulator: IntFormat,
        output: Activation,
        split: int = 0,
    ) -> Self:
        """Configuration with the arithmetic of ``tail``; ``split`` stands for a sum of 0."""
        return cls(
            lanes=lanes,
            items=items,
            accumulator=accumulator,
            output=output,
            multiplier=tail.multiplier,
            multiplier_bits=tail.multiplier_bits,
            shift=tail.shift,
            offset=tail.offset,
            below=tail.below,
            split=split,
            slack_bits=tail.slack_bits,
            rounding=tail.rounding,
            overflow=tail.overflow,
            relu=tail.relu,
            clamp=tail.clamp,
        )

    @classmethod
    def behind_sum(cls, layer: QuantizedAdd) -> Self:
        """Configuration of what follows the sum of ``layer``: its operands are multiplied there."""
        return cls.of(
            layer.after_sum,
            lanes=layer.lanes,
            items=layer.shape[0],
            accumulator=layer.accumulator,
            output=layer.output,
        )

    @property
    def per_channel(self) -> bool:
        """True if the multiplier or an offset changes from beat to beat."""
        return bool(self.memories)

    @property
    def scales(self) -> bool:
        """True if anything comes before the shift: a multiplier or an offset."""
        return self.multiplier_bits > 0 or bool(self.offset.any() or self.uneven)

    @property
    def uneven(self) -> bool:
        """True if accumulators on either side of ``split`` have offsets of their own."""
        return bool(self.below.any())

    @property
    def constants(self) -> dict[str, IntArray]:
        """Multipliers and offsets, by the name of the memory of those that channels differ in."""
        found = {"multipliers": self.multiplier, "offsets": self.offset}
        return found | ({"offsets_below": self.offset + self.below} if self.uneven else {})

    @property
    def memories(self) -> dict[str, IntArray]:
        """Constants that channels differ in, by the name of the memory that holds them."""
        return {name: values for name, values in self.constants.items() if varies(values)}

    @property
    def product_bounds(self) -> tuple[int, int]:
        """Least and greatest value before the shift, of any accumulator and channel."""
        fmt, multiplier = self.accumulator, self.multiplier.astype(object)
        parts = [(fmt.min, fmt.max, self.offset)]
        if self.uneven:
            parts = [(max(self.split, fmt.min), fmt.max, self.offset)]
            parts += [(fmt.min, min(self.split - 1, fmt.max), self.offset + self.below)]
        ends = [
            multiplier * end + offset.astype(object)
            for low, high, offset in parts
            for end in (low, high)
            if low <= high
        ]
        return min(int(end.min()) for end in ends), max(int(end.max()) for end in ends)

    @property
    def bounds(self) -> tuple[int, int]:
        """Least and greatest output."""
        return self.clamp or (self.output.format.min, self.output.format.max)

    @property
    def i(self) -> Beat:
        """Beat of accumulators."""
        return Beat(self.accumulator, self.lanes)

    @property
    def o(self) -> Beat:
        """Beat of activations."""
        return Beat(self.output.format, self.lanes)

    @property
    def ratio(self) -> tuple[int, int]:
        """Beats after the block, as many as before it."""
        return 1, 1

    @property
    def beats(self) -> int:
        """Beats of a vector."""
        return -(-self.items // self.lanes)

    def words(self, constants: IntArray) -> list[list[int]]:
        """Memory content: for each beat of a vector, the constants of ``lanes`` channels."""
        padded = np.zeros(self.beats * self.lanes, np.int64)
        padded[: self.items] = constants
        return padded.reshape(self.beats, self.lanes).tolist()


def spanning(constants: IntArray) -> IntFormat:
    """Smallest format that holds every constant."""
    return IntFormat.spanning(int(constants.min()), int(constants.max()))
