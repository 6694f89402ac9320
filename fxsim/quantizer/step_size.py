"""The L2-optimal step size of a symmetric quantizer, found exactly.

Sung, Shin and Hwang, "Resiliency of Deep Neural Networks under Quantization" (2015), quantize a
weight to q = sign(w) min(floor(|w| / scale + 0.5), (M - 1) / 2), eq. (3), with the scale that
minimises the squared error, eq. (4). That error has many local minima in the scale for M >= 7, but
the integers change at the breakpoints scale = |w| / (k - 0.5) only, and between two breakpoints
the best scale is sum(q |w|) / sum(q^2). Visiting every breakpoint therefore finds the global
minimum: a scan that misses nothing, then the refinement of Lloyd. Where there are very many of
them, those that a bound excludes are left out (`fxsim.quantizer.fine_steps`).

Other codes have other magnitudes, m[0] < m[1] < ..., with thresholds half way between neighbours in
place of k - 0.5. Binary weights have no threshold, and the scale is the mean of |w|.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from fxsim.arithmetic.codes import thresholds
from fxsim.network import FloatArray, IntArray
from fxsim.quantizer.fine_steps import finest_scale

_PIECE = 1 << 17
"""Breakpoints sorted at a time; few enough for the caches."""

_TINY = float(np.finfo(np.float64).tiny)

_MANY = 4
"""Levels on a side from which on the thresholds are not all visited, if they are many."""


def l2_scale(weight: FloatArray, levels: int) -> FloatArray:
    """`scale_of_levels` for ``levels`` integers about 0, an odd number of 3 or more."""
    return scale_of_levels(weight, np.arange(levels // 2 + 1))


def scale_of_levels(weight: FloatArray, magnitudes: IntArray) -> FloatArray:
    """Scale of least squared error for each row (group) of ``weight``.

    About 0.1 s for a million ternary weights, or for 10,000 of 16 bits.

    Parameters
    ----------
    weight : float array, shape (groups, n)
        Finite.
    magnitudes : int64 array
        Those of the levels, in rising order; weights become the nearest ones, times the scale.

    Returns
    -------
    float64 array, shape (groups,)
        Positive. For a group of zeros 1.0, or next to nothing where 0 is no level.
    """
    magnitude = np.abs(np.asarray(weight, dtype=np.float64))
    steps = _Steps(magnitudes, thresholds(magnitudes))
    return np.array([_scale(group, steps) for group in magnitude], dtype=np.float64)


class _Steps(NamedTuple):
    """Magnitudes of levels, and the thresholds between them."""

    magnitudes: IntArray
    middles: FloatArray


def _scale(magnitude: FloatArray, steps: _Steps) -> float:
    peak = float(magnitude.max(initial=0.0))
    if peak < _TINY:
        return 1.0 if steps.magnitudes[0] == 0 else _TINY
    magnitude = magnitude / peak  # so that no square leaves the range of a float
    if steps.magnitudes[0] == 0:
        magnitude = magnitude[magnitude > 0]  # any scale suits the others
    finest, top = _finest(magnitude, steps), len(steps.magnitudes) - 1
    pieces = 1 + int(finest * magnitude.sum()) // _PIECE
    if pieces > 1 and top >= _MANY and steps.magnitudes[top] == top:  # 0 to top, that is
        finest = _finest(magnitude, steps, 24)
        return max(finest_scale(magnitude, top, finest) * peak, _TINY)
    edges = np.linspace(0.0, finest, pieces + 1)
    best, scale = 0.0, 1.0
    for low, high in pairwise(edges.tolist()):
        gain, candidate = _best_between(magnitude, steps, low, high)
        if gain > best:
            best, scale = gain, candidate
    return max(scale * peak, _TINY)


def _finest(magnitude: FloatArray, steps: _Steps, halvings: int = 8) -> float:
    """Inverse of a scale that no optimal one is finer than; the greatest magnitude is 1.

    sum(q |w|) / sum(q^2) >= sum(q |w|) / sum(q) / top >= mean(|w|) / top, as q grows with |w|. Nor
    is a scale optimal if what it clips alone is a greater error than that of clipping nothing.
    """
    top = float(steps.magnitudes[-1])
    coarse, fine = top, max(top / float(magnitude.mean()), top)
    q = steps.magnitudes[np.searchsorted(steps.middles, magnitude * top, "right")]
    error = np.square(magnitude - q / top).sum() * (1 + 1e-9)
    for _ in range(halvings):
        middle = (coarse + fine) / 2
        clips_too_much = np.square(np.maximum(magnitude - top / middle, 0.0)).sum() > error
        coarse, fine = (coarse, middle) if clips_too_much else (middle, fine)
    return fine


def _best_between(
    magnitude: FloatArray, steps: _Steps, low: float, high: float
) -> tuple[float, float]:
    """Best of the inverse scales from ``low`` to ``high``: the error it saves, and the scale.

    With integers q the best scale is a / b, a = sum(q |w|), b = sum(q^2), and the squared error
    sum(w^2) - a^2 / b.
    """
    m, middles = steps
    first, last = (np.searchsorted(middles, magnitude * end, "right") for end in (low, high))
    crossed = last - first
    value, ends = np.repeat(magnitude, crossed), np.cumsum(crossed)
    index = np.arange(value.size) + np.repeat(first - (ends - crossed), crossed)
    order = _order(middles[index] / value, low, high)
    taller, more = np.diff(m)[index[order]], np.diff(m**2)[index[order]]
    a = (m[first] * magnitude).sum() + np.append(0.0, np.cumsum(taller * value[order]))
    b = (m[first] ** 2).sum() + np.append(0, np.cumsum(more))
    if not b[-1]:
        return 0.0, 1.0
    gain = np.divide(a * a, b, out=np.zeros_like(a), where=b > 0)
    i = int(gain.argmax())
    return float(gain[i]), float(a[i] / b[i])


def _order(places: FloatArray, low: float, high: float) -> IntArray:
    """Order of numbers from ``low`` to ``high``, equal ones as they come.

    A place and a number are one word, so that numpy's fast sort does it, which is not stable; with
    a million numbers a place has 43 bits.
    """
    count = max(len(places).bit_length(), 1)
    last = (1 << 63 - count) - 1
    share = np.clip((places - low) / (high - low), 0.0, 1.0)
    words = (share * last).astype(np.uint64) << np.uint64(count)
    words = np.sort(words | np.arange(len(places), dtype=np.uint64))
    return (words & np.uint64((1 << count) - 1)).astype(np.int64)
