"""The weights -1, 0 and +1 (Sung et al. 2015): add, subtract or leave out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fxsim.arithmetic.codes.code import WeightCode
from fxsim.arithmetic.formats import IntFormat
from fxsim.arithmetic.tensors import IntArray


@dataclass(frozen=True)
class TernaryCode(WeightCode):
    """Two's complement of 2 bits: bit 0 is set unless the weight is 0, bit 1 is the sign."""

    @property
    def magnitudes(self) -> IntArray:
        """0 and 1."""
        return np.arange(2)

    @property
    def bits(self) -> int:
        """2."""
        return 2

    def stored(self, weights: IntArray) -> IntArray:
        """Two's complement."""
        return weights & 3

    def restored(self, words: IntArray) -> IntArray:
        """-1, 0 or +1; the word 2 stands for nothing that is stored and is read as 0."""
        return np.array([0, 1, 0, -1])[words]

    def __str__(self) -> str:
        return str(IntFormat.for_levels(3))
