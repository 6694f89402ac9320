"""The L2-optimal step size of a uniform symmetric quantizer, found exactly.

Sung, Shin and Hwang, "Resiliency of Deep Neural Networks under Quantization" (2015), quantize a
weight to q = sign(w) min(floor(|w| / scale + 0.5), (M - 1) / 2), eq. (3), with the scale that
minimises the squared error, eq. (4). That error has many local minima in the scale for M >= 7, but
the integers change at the breakpoints scale = |w| / (k - 0.5) only, and between two breakpoints
the best scale is sum(q |w|) / sum(q^2). Visiting every breakpoint therefore finds the global
minimum: a scan that misses nothing, then the refinement of Lloyd.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from fxsim.network import FloatArray, IntArray

_PIECE = 1 << 20
"""Breakpoints sorted at a time; bounds the memory for large groups."""


def l2_scale(weight: FloatArray, levels: int) -> FloatArray:
    """Scale of least squared error for each row (group) of ``weight``.

    The time grows with the number of weights times ``levels``: about 0.1 s for a million weights
    and 3 levels, or for 4096 weights and 255 levels.

    Parameters
    ----------
    weight : float array, shape (groups, n)
        Finite.
    levels : int
        Number of quantization levels M, odd and at least 3.

    Returns
    -------
    float64 array, shape (groups,)
        Positive. 1.0 for a group of zeros, which any scale quantizes without error.
    """
    magnitude = np.abs(np.asarray(weight, dtype=np.float64))
    return np.array([_scale(group, levels // 2) for group in magnitude], dtype=np.float64)


def _scale(magnitude: FloatArray, top: int) -> float:
    peak = float(magnitude.max(initial=0.0))
    if peak < np.finfo(np.float64).tiny:
        return 1.0
    magnitude = magnitude[magnitude > 0] / peak  # so that no square leaves the range of a float
    # sum(q |w|) / sum(q^2) >= sum(q |w|) / sum(q) / top >= mean(|w|) / top, as q grows with |w|:
    # no finer scale can be optimal.
    finest = top / float(magnitude.mean())
    pieces = 1 + int(finest * magnitude.sum()) // _PIECE
    edges = np.linspace(0.0, finest, pieces + 1)
    best, scale = 0.0, 1.0
    for low, high in pairwise(edges.tolist()):
        gain, candidate = _best_between(magnitude, top, low, high)
        if gain > best:
            best, scale = gain, candidate
    return max(scale * peak, np.finfo(np.float64).tiny)


def _best_between(magnitude: FloatArray, top: int, low: float, high: float) -> tuple[float, float]:
    """Best of the inverse scales from ``low`` to ``high``: the error it saves, and the scale.

    With integers q the best scale is a / b, a = sum(q |w|), b = sum(q^2), and the squared error
    sum(w^2) - a^2 / b.
    """
    first, last = _levels(magnitude, top, low), _levels(magnitude, top, high)
    steps = last - first
    value = np.repeat(magnitude, steps)
    ends = np.cumsum(steps)
    q = np.arange(1, value.size + 1) + np.repeat(first - (ends - steps), steps)
    order = np.argsort((q - 0.5) / value, kind="stable")
    a = (first * magnitude).sum() + np.append(0.0, np.cumsum(value[order]))
    b = (first**2).sum() + np.append(0, np.cumsum(2 * q[order] - 1))
    if not b[-1]:
        return 0.0, 1.0
    gain = np.divide(a * a, b, out=np.zeros_like(a), where=b > 0)
    i = int(gain.argmax())
    return float(gain[i]), float(a[i] / b[i])


def _levels(magnitude: FloatArray, top: int, inverse: float) -> IntArray:
    return np.minimum(np.floor(magnitude * inverse + 0.5), top).astype(np.int64)
