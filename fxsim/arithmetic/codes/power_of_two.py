"""Weights that are 0 or a signed power of two: a cell shifts, and adds or subtracts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fxsim.arithmetic.codes.code import WeightCode
from fxsim.arithmetic.tensors import IntArray
from fxsim.errors import ConfigError

FEWEST, MOST = 2, 6


@dataclass(frozen=True)
class PowerOfTwoCode(WeightCode):
    """0 and +-2**0 to +-2**(exponents - 1).

    The low bits have 0 for the weight 0, and 1 + exponent otherwise; the highest bit is the sign.

    Parameters
    ----------
    exponents : int
        Powers of two, 2 to 6.

    Raises
    ------
    ConfigError
        If there are fewer or more.
    """

    exponents: int

    def __post_init__(self) -> None:
        if type(self.exponents) is not int or not FEWEST <= self.exponents <= MOST:
            raise ConfigError(
                f"exponents must be an integer from {FEWEST} to {MOST}, not {self.exponents!r}"
            )

    @property
    def magnitudes(self) -> IntArray:
        """0 and the powers of two."""
        return np.concatenate([[0], 1 << np.arange(self.exponents)])

    @property
    def bits(self) -> int:
        """3 for 2 and 3 exponents, 4 for more."""
        return 1 + self.exponents.bit_length()

    def stored(self, weights: IntArray) -> IntArray:
        """Sign, and number of the magnitude."""
        number = np.searchsorted(self.magnitudes, np.abs(weights))
        return number | (weights < 0) << (self.bits - 1)

    def restored(self, words: IntArray) -> IntArray:
        """0 or a signed power of two; numbers beyond the magnitudes are read as 0."""
        half = 1 << (self.bits - 1)
        magnitudes = np.zeros(half, np.int64)
        magnitudes[: self.exponents + 1] = self.magnitudes
        return np.concatenate([magnitudes, -magnitudes])[words]

    def __str__(self) -> str:
        return f"po2_{self.exponents}"
