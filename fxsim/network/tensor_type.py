"""Shape and format of integers that a layer takes, or carries from one vector to the next."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from fxsim.arithmetic.tensors import Activation, FloatArray


@dataclass(frozen=True)
class TensorType:
    """Integers of one vector or image, and what they mean.

    Parameters
    ----------
    shape : tuple of int
        (channels, height, width) or (items,).
    activation : Activation
    """

    shape: tuple[int, ...]
    activation: Activation

    @property
    def items(self) -> int:
        """Number of integers."""
        return math.prod(self.shape)

    def admits(self, shape: tuple[int, ...]) -> bool:
        """True if values of a shape fit: the same shape, or any of as many items for a vector."""
        return self.shape in {shape, (math.prod(shape),)}


NO_TENSORS: Mapping[str, TensorType] = MappingProxyType({})
"""State of a layer without any."""

NO_SIZES: Mapping[str, int] = MappingProxyType({})
"""Sizes of the hardware of a layer that has none but foldings."""

NO_UNIT: FloatArray = np.ones(1)
"""Unit of the accumulators of a layer without any."""

NO_UNIT.flags.writeable = False
