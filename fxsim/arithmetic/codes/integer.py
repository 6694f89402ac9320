"""Integers in two's complement, for a multiplier."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fxsim.arithmetic.codes.code import WeightCode
from fxsim.arithmetic.formats import IntFormat
from fxsim.arithmetic.tensors import IntArray, check_range
from fxsim.errors import ConfigError


@dataclass(frozen=True)
class IntegerCode(WeightCode):
    """Every integer of a signed format.

    Raises
    ------
    ConfigError
        If the format is unsigned.
    """

    range: IntFormat

    multiplies = True

    def __post_init__(self) -> None:
        if not self.range.signed:
            raise ConfigError(f"weights must be signed, not {self.range}")

    @property
    def magnitudes(self) -> IntArray:
        """0 to the greatest positive integer."""
        return np.arange(self.range.max + 1)

    @property
    def weights(self) -> IntArray:
        """Every integer, in rising order."""
        return np.arange(self.range.min, self.range.max + 1)

    @property
    def levels(self) -> int:
        """Number of integers."""
        return self.range.max - self.range.min + 1

    @property
    def bits(self) -> int:
        """Word length of the format."""
        return self.range.bits

    @property
    def format(self) -> IntFormat:
        """The format itself, which need not be symmetric."""
        return self.range

    def check(self, weights: IntArray, name: str) -> None:
        """Check that all weights lie in the format.

        Raises
        ------
        RangeError
            If one does not; names its place.
        """
        check_range(weights, self.range.min, self.range.max, name)

    def stored(self, weights: IntArray) -> IntArray:
        """Two's complement."""
        return weights & ((1 << self.bits) - 1)

    def restored(self, words: IntArray) -> IntArray:
        """Integers of two's complement."""
        half = 1 << (self.bits - 1)
        return (words ^ half) - half

    def __str__(self) -> str:
        return str(self.range)
