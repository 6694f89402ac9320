"""Sums of outer products over vectors: dW, dU and db of a backward pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fxsim.kernels.jit import jit
from fxsim.kernels.lstm_gradient import ordered_sums
from fxsim.kernels.operand import MAX_INPUTS, exact_sums, operand_of, planes_of, scratch
from fxsim.kernels.target import chosen
from fxsim.network import IntArray

_BLOCK = 64


class OuterSums:
    """Gate gradients (n, t, rows) that are ready to meet the vectors of the forward pass.

    A row that cannot saturate, whatever the order of its sums, is part of one matrix product over
    the vectors that are not all zero; the others are summed in the order of the contract.
    """

    def __init__(self, dnet: IntArray, dnet_bits: int) -> None:
        self._dnet = dnet
        rows = dnet.shape[2]
        vectors = dnet.reshape(-1, rows)
        active = np.zeros(len(vectors), np.bool_)
        self._reach, self._totals = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
        _scan(vectors, active, self._reach, self._totals)
        self._active = np.flatnonzero(active)
        self._half = 1 << dnet_bits - 1
        self._planes = []
        count, offset = planes_of(-self._half, self._half - 1)
        for first in range(0, len(self._active), MAX_INPUTS):
            run = self._active[first : first + MAX_INPUTS]
            planes = np.empty((count * rows, len(run)), np.uint8)
            _transpose(vectors, run, offset, count, planes)
            self._planes.append((run, planes))

    def of(self, x: IntArray, zero_point: int, bits: int, most: int) -> tuple[IntArray, int]:
        """Sum of dnet[n, t, j] * (x[n, t, k] - zero_point), saturated to ``bits`` at each vector.

        ``x`` has shape (n, t, columns) and ``most`` bounds abs(x - zero_point). Returns the sums
        (rows, columns) and how often one was clamped.
        """
        rows, columns = self._dnet.shape[2], x.shape[2]
        low, high = (int(x.min()), int(x.max())) if x.size else (0, 0)
        middle = (low + high + 1) // 2
        sums = np.empty((rows, columns), np.int64)
        sums[:] = self._totals[:, None] * (middle - zero_point)
        dtype = np.int8 if high - middle < 128 and low - middle >= -128 else np.int64
        for run, planes in self._planes:
            turned = np.empty((columns, len(run)), dtype)
            _turn(x.reshape(-1, columns), run, middle, turned)
            nothing = np.zeros(columns, np.int64)
            limits = -self._half, self._half - 1
            operand = operand_of(turned, nothing, *limits, chosen(), words=False)
            partial = scratch(rows, 0, operand)[1]
            found = np.empty_like(sums)
            exact_sums(operand, planes, partial, found)
            sums += found
        unsafe = np.flatnonzero(self._reach > ((1 << bits - 1) - 1) // max(1, most))
        clamped = 0
        if len(unsafe):
            clamped = ordered_sums(self._dnet, x, zero_point, bits, unsafe, sums)
        return sums, clamped

    def totals(self, bits: int) -> tuple[IntArray, int]:
        """Sum of dnet[n, t, j], also saturated, shape (rows,)."""
        if (self._reach < 1 << bits - 1).all():
            return self._totals, 0
        sums, clamped = self.of(np.ones((*self._dnet.shape[:2], 1), np.int64), 0, bits, 1)
        return sums[:, 0], clamped


@jit
def _scan(
    vectors: IntArray, active: npt.NDArray[np.bool_], reach: IntArray, totals: IntArray
) -> None:
    """Which vectors are not all zero; sums of magnitudes and of values by row."""
    for i in range(len(vectors)):
        vector, any_bit = vectors[i], 0
        for j in range(len(vector)):
            reach[j] += abs(vector[j])
            totals[j] += vector[j]
            any_bit |= vector[j]
        active[i] = any_bit != 0


@jit
def _transpose(
    vectors: IntArray, run: IntArray, offset: int, planes: int, out: npt.NDArray[np.uint8]
) -> None:
    """Planes of the vectors ``run``, turned: out[plane * rows + j, i]."""
    rows = vectors.shape[1]
    for top in range(0, len(run), _BLOCK):
        end = min(top + _BLOCK, len(run))
        for left in range(0, rows, _BLOCK):
            for j in range(left, min(left + _BLOCK, rows)):
                for plane in range(planes):
                    target = out[plane * rows + j]
                    for i in range(top, end):
                        target[i] = np.uint8((vectors[run[i], j] + offset) >> (8 * plane))


@jit
def _turn(vectors: IntArray, run: IntArray, middle: int, out: Any) -> None:
    """Vectors ``run`` less ``middle``, turned."""
    columns = vectors.shape[1]
    for top in range(0, len(run), _BLOCK):
        end = min(top + _BLOCK, len(run))
        for k in range(columns):
            target = out[k]
            for i in range(top, end):
                target[i] = vectors[run[i], k] - middle
