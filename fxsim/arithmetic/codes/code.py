"""Protocol of a weight code: the integers that a weight may be, and the bits of each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from fxsim.arithmetic.codes.levels import nearest
from fxsim.arithmetic.formats import IntFormat
from fxsim.arithmetic.tensors import FloatArray, IntArray
from fxsim.errors import RangeError


class WeightCode(ABC):
    """How a weight is stored, and so how it is multiplied.

    Codes are values: equal ones compare equal. ``str(code)`` names a code in files, and
    `fxsim.arithmetic.codes.parse_code` reads it.
    """

    multiplies: ClassVar[bool] = False
    """True if a cell has a multiplier, False if it adds and subtracts (shifted) activations."""

    @property
    @abstractmethod
    def magnitudes(self) -> IntArray:
        """Magnitudes of the weights in rising order; every one but 0 has both signs."""

    @property
    @abstractmethod
    def bits(self) -> int:
        """Bits of a stored weight."""

    @property
    def format(self) -> IntFormat:
        """Smallest symmetric format that holds the weights as integers."""
        return IntFormat.for_levels(2 * int(self.magnitudes[-1]) + 1)

    @property
    def weights(self) -> IntArray:
        """Every weight, in rising order."""
        weights: IntArray = np.unique(np.concatenate([-self.magnitudes, self.magnitudes]))
        return weights

    @property
    def levels(self) -> int:
        """Number of weights."""
        return 2 * len(self.magnitudes) - self.pads

    @property
    def pads(self) -> bool:
        """True if 0 is a weight, so that lanes may be idle."""
        return int(self.magnitudes[0]) == 0

    @abstractmethod
    def stored(self, weights: IntArray) -> IntArray:
        """Words, 0 to 2**bits - 1, that stand for weights of any shape."""

    @abstractmethod
    def restored(self, words: IntArray) -> IntArray:
        """Weights that words of any shape stand for; inverse of `stored`."""

    @abstractmethod
    def __str__(self) -> str: ...

    def check(self, weights: IntArray, name: str) -> None:
        """Check that all weights have a code.

        Raises
        ------
        RangeError
            If one has none; names its place.
        """
        bad = np.argwhere(~np.isin(np.abs(weights), self.magnitudes))
        if bad.size:
            place = tuple(bad[0].tolist())
            *others, last = map(str, self.weights.tolist())
            known = f"{', '.join(others)} or {last}"
            raise RangeError(f"{name}{list(place)} must be {known}, not {weights[place]}")

    def nearest(self, ratio: FloatArray) -> IntArray:
        """Weights nearest to real ones, see `fxsim.arithmetic.codes.levels.nearest`."""
        return nearest(ratio, self.magnitudes)
