"""The weights -1 and +1 (Courbariaux, Bengio and David 2015, BinaryConnect): add or subtract."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fxsim.arithmetic.codes.code import WeightCode
from fxsim.arithmetic.tensors import IntArray


@dataclass(frozen=True)
class BinaryCode(WeightCode):
    """A sign bit. There is no weight 0, so lanes cannot be idle and weights cannot be pruned."""

    @property
    def magnitudes(self) -> IntArray:
        """1 alone."""
        return np.array([1])

    @property
    def bits(self) -> int:
        """1."""
        return 1

    def stored(self, weights: IntArray) -> IntArray:
        """1 for -1, 0 for +1."""
        return (weights < 0).astype(np.int64)

    def restored(self, words: IntArray) -> IntArray:
        """-1 or +1."""
        return 1 - 2 * words

    def __str__(self) -> str:
        return "binary"
