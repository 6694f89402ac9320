"""Sums of activations with a multiplier each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fxsim.kernels.jit import jit
from fxsim.network import IntArray


def weighted_sum(
    operands: Sequence[npt.NDArray[Any]], multipliers: Sequence[int], bias: int
) -> IntArray:
    """Sums of multiplier * operand and bias, for two integer arrays (rows, items) or more."""
    (x, y, *others), (first, second, *more) = operands, multipliers
    total: IntArray = _sum_of_two(x, y, first, second, bias)
    for operand, multiplier in zip(others, more, strict=True):
        _add(total, operand, multiplier)
    return total


@jit
def _sum_of_two(
    x: npt.NDArray[Any], y: npt.NDArray[Any], first: int, second: int, bias: int
) -> IntArray:
    rows, items = x.shape
    result = np.empty((rows, items), np.int64)
    for i in range(rows):
        for j in range(items):
            result[i, j] = np.int64(x[i, j]) * first + np.int64(y[i, j]) * second + bias
    return result


@jit
def _add(total: IntArray, x: npt.NDArray[Any], multiplier: int) -> None:
    rows, items = x.shape
    for i in range(rows):
        for j in range(items):
            total[i, j] += np.int64(x[i, j]) * multiplier
