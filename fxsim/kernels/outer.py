"""Sums of outer products over vectors: dW, dU and db of a backward pass."""

from __future__ import annotations

import numpy as np

from fxsim.kernels.lstm_gradient import ordered_sums
from fxsim.kernels.operand import MAX_INPUTS
from fxsim.kernels.product import Product
from fxsim.network import IntArray


def outer_sums(
    dnet: IntArray, x: IntArray, zero_point: int, bits: int, most: int, dnet_bits: int
) -> tuple[IntArray, int]:
    """Sum of dnet[n, t, j] * (x[n, t, k] - zero_point), saturated to ``bits`` after each vector.

    Rows that cannot saturate, whatever the order, are one matrix product without the vectors and
    rows that are all zero; the others are summed in the order of the contract.

    Parameters
    ----------
    dnet : int64 array, shape (n, t, rows)
        Of ``dnet_bits``.
    x : int64 array, shape (n, t, columns)
    most : int
        Bound of abs(x - zero_point).

    Returns
    -------
    sums : int64 array, shape (rows, columns)
    clamped : int
        How often a sum was clamped.
    """
    vectors = dnet.reshape(-1, dnet.shape[2])
    magnitudes = np.abs(vectors)
    reach = magnitudes.sum(axis=0)
    rows = np.flatnonzero(reach)
    steps = np.flatnonzero(magnitudes.any(axis=1))
    sums = np.zeros((dnet.shape[2], x.shape[2]), np.int64)
    if len(rows) and x.shape[2]:
        low, high = int(x.min()), int(x.max())
        middle = (low + high + 1) // 2
        factors = vectors if len(steps) == len(vectors) else vectors[steps]
        factors = factors if len(rows) == vectors.shape[1] else factors[:, rows]
        source = x.reshape(-1, x.shape[2])[steps] - middle
        total = factors.sum(axis=0)[:, None] * np.int64(middle - zero_point)
        limit = 1 << dnet_bits - 1
        for first in range(0, len(steps), MAX_INPUTS):
            run = slice(first, first + MAX_INPUTS)
            nothing = np.zeros(x.shape[2], np.int64)
            product = Product(source[run].T, nothing, -limit, limit - 1)
            total = total + product(factors[run].T)
        sums[rows] = total
    unsafe = np.flatnonzero(reach > ((1 << bits - 1) - 1) // max(1, most))
    clamped = 0
    if len(unsafe):
        clamped = ordered_sums(dnet, x, zero_point, bits, unsafe, sums)
    return sums, clamped
