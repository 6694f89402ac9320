"""The L2-optimal step size of many levels, by branch and bound over its inverse.

With t the inverse of the step, u = w t and r = u - q the distance from the nearest level, the
squared error is H(t) / t^2, H = sum(r^2). From t to t + x every weight passes at most one threshold
while w x <= 1, so that with exact sums

    H(t + x) = A + 2 B x + S x^2 - D(x),    A = sum(r^2), B = sum(w r), S = sum(w^2),
    D(x) = sum(max(0, 2 (w x + r - 1/2))),

and alike to the left. D is convex, so a chord bounds it from above, and H has a lower bound on an
interval from one pass over the weights. The smallest weights come first: far below the best t, a
few of them show that an interval cannot hold it. Thresholds are visited one by one in the small
intervals that are left. With q fixed the best step is (t S - B) / N, N = sum(q^2) =
t^2 S - 2 t B + A, and the error (S A - B^2) / N, which cancels nothing.
"""

from __future__ import annotations

import numpy as np

from fxsim.kernels.jit import inlined, jit
from fxsim.network import FloatArray, IntArray

_LANES = 16
"""Sums side by side, as the compiler may not change the order of floats."""

_BLOCK = 512
"""Weights between two looks at the bound."""

_ROUND = 1.5 * 2.0**52
"""Added and subtracted, it rounds a float."""

_DEPTH = 256
"""Room for intervals; each of the 60 or so halvings leaves one."""


def finest_scale(magnitude: FloatArray, top: int, finest: float) -> float:
    """Scale of least squared error for levels 0 to ``top``.

    Parameters
    ----------
    magnitude : float64 array, shape (n,)
        Above 0, at most 1; some are 1.
    top : int
    finest : float
        Inverse of a scale that no optimal one is finer than.
    """
    magnitude = np.sort(magnitude)
    scale = _search(magnitude, float(top), finest)
    q = np.minimum(np.floor(magnitude / scale + 0.5), top)
    return float((q * magnitude).sum() / np.square(q).sum())


@jit
def _search(w: FloatArray, top: float, finest: float) -> float:
    n, square, total = len(w), 0.0, 0.0
    for x in w:
        square += x * x
        total += x
    leaf = n / (32 * total)  # so short that few weights pass a threshold
    best, scale = np.inf, 1.0
    centers, halves = np.empty(_DEPTH), np.empty(_DEPTH)
    centers[0] = halves[0] = finest / 2
    centers[1], halves[1] = top, 0.0  # nothing is clipped there: a good start
    depth = 2
    sums = np.empty((7, _LANES))
    while depth > 0:
        depth -= 1
        t, h = centers[depth], halves[depth]
        count = n if h <= 1 else np.searchsorted(w, 1 / h, side="right")
        whole = np.searchsorted(w, (top - 0.5) / t)
        sums[:] = 0.0
        start, limit, passed = 0, best * (t + h) ** 2, False
        while start < count and not passed:
            stop = min(start + _BLOCK, count)
            _add(w, start, stop, whole, t, h, top, sums)
            passed = h > 0 and _least(sums, h) >= limit
            start = stop
        if passed:
            continue
        if count == n and (h == 0 or h <= leaf):
            best, scale = _visit(w, t, h, top, square, best, scale)
        else:
            centers[depth], halves[depth] = t - h / 2, h / 2
            centers[depth + 1], halves[depth + 1] = t + h / 2, h / 2
            depth += 2
    return scale


@inlined
def _add(
    w: FloatArray, start: int, stop: int, whole: int, t: float, h: float, top: float, s: FloatArray
) -> None:
    """Add the weights from ``start`` to ``stop`` to A, B, S and D at h / 2 and h on either side.

    Those from ``whole`` on may be at the highest level, with no threshold above.
    """
    middle = max(min(stop, whole), start)
    middle -= (middle - start) % _LANES
    for i in range(start, middle, _LANES):
        for j in range(_LANES):
            x = w[i + j]
            u = x * t
            r = u - ((u + _ROUND) - _ROUND)
            near, far = x * (h / 2) - 0.5, x * h - 0.5
            s[0, j] += r * r
            s[1, j] += x * r
            s[2, j] += x * x
            s[3, j] += max(near + r, 0.0)
            s[4, j] += max(far + r, 0.0)
            s[5, j] += max(near - r, 0.0)
            s[6, j] += max(far - r, 0.0)
    for i in range(middle, stop):
        x = w[i]
        q = min(np.floor(x * t + 0.5), top)
        r = x * t - q
        s[0, 0] += r * r
        s[1, 0] += x * r
        s[2, 0] += x * x
        if q < top:
            s[3, 0] += max(x * (h / 2) - 0.5 + r, 0.0)
            s[4, 0] += max(x * h - 0.5 + r, 0.0)
        s[5, 0] += max(x * (h / 2) - 0.5 - r, 0.0)
        s[6, 0] += max(x * h - 0.5 - r, 0.0)


@inlined
def _least(s: FloatArray, h: float) -> float:
    """Lower bound of H from t - h to t + h."""
    a, b, c = s[0].sum(), s[1].sum(), s[2].sum()
    right = _side(a, 2 * b, c, 2 * s[3].sum(), 2 * s[4].sum(), h / 2)
    left = _side(a, -2 * b, c, 2 * s[5].sum(), 2 * s[6].sum(), h / 2)
    return min(left, right)


@inlined
def _side(a: float, b: float, c: float, near: float, far: float, h: float) -> float:
    """Least a + b x + c x^2 less a chord of D, for x to h, and from there to 2 h."""
    first = _parabola(a, b - near / h, c, h)
    value = a + (b + c * h) * h - near
    return min(first, _parabola(value, b + 2 * c * h - (far - near) / h, c, h))


@inlined
def _parabola(a: float, b: float, c: float, end: float) -> float:
    """Least a + b x + c x^2 for x from 0 to ``end``."""
    x = min(max(-b / (2 * c), 0.0), end)
    return a + (b + c * x) * x


@jit
def _visit(
    w: FloatArray, t: float, h: float, top: float, square: float, best: float, scale: float
) -> tuple[float, float]:
    """Best error and scale, those of every choice of levels from t - h to t + h included."""
    room = 2 * len(w)  # a weight may pass a threshold on either side
    place, r_of, x_of = np.empty(room), np.empty(room), np.empty(room)
    a, b, k = 0.0, 0.0, 0
    for x in w:
        q = min(np.floor(x * t + 0.5), top)
        r = x * t - q
        for end in (0.5 - r, -0.5 - r):  # the thresholds above and below
            if abs(end) < x * h and (end < 0 or q < top):
                if end < 0:
                    r += 1.0  # as it is at t - h
                place[k], r_of[k], x_of[k] = end / x, r, x
                k += 1
        a += r * r
        b += x * r
    order: IntArray = np.argsort(place[:k])
    for j in range(k + 1):
        squares = t * t * square - 2 * t * b + a
        error = (square * a - b * b) / squares
        if squares > 0.5 and error < best:
            best, scale = error, (t * square - b) / squares
        if j < k:
            i = order[j]
            a += 1 - 2 * r_of[i]
            b -= x_of[i]
    return best, scale
