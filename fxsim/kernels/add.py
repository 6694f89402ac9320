"""Sums of two activations with a multiplier each."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fxsim.kernels.jit import jit
from fxsim.network import IntArray


@jit
def weighted_sum(
    x: npt.NDArray[Any], y: npt.NDArray[Any], first: int, second: int, bias: int
) -> IntArray:
    """Sums of first * x, second * y and bias for integers (rows, items) of any type."""
    rows, items = x.shape
    result = np.empty((rows, items), np.int64)
    for i in range(rows):
        for j in range(items):
            result[i, j] = np.int64(x[i, j]) * first + np.int64(y[i, j]) * second + bias
    return result
