"""Pareto fronts and the volume that they dominate; every objective is to be small."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import moocore
import numpy as np

from fxsim.explorer.outcome import Goals, Outcome
from fxsim.network import FloatArray

Values = tuple[float, ...]

_EXACT = 10**11
"""Largest number of points to the power of the objectives less two whose volume takes a second."""

_DIRECTIONS = 1 << 16
"""Directions in which a volume is estimated."""


def front(outcomes: Iterable[Outcome], goals: Goals) -> list[Outcome]:
    """Outcomes within the limits that no other such outcome dominates, by their objectives.

    Of points with equal objectives the one of the lowest number is kept.
    """
    kept: dict[Values, Outcome] = {}
    for outcome in outcomes:
        values = goals.values(outcome)
        if values is None or goals.excess(outcome) > 0:
            continue
        if values not in kept or outcome.choices < kept[values].choices:
            kept[values] = outcome
    points = sorted(kept)
    return [kept[points[k]] for k in nondominated(points)]


def nondominated(points: Sequence[Values] | FloatArray) -> list[int]:
    """Indices of the points that no other is at most as great as in everything, and less in one.

    Equal points are kept together. The time is that of sorting up to three objectives, times one
    more logarithm for each one above (Kung, Luccio and Preparata 1975).
    """
    array = np.array(points, dtype=np.float64)
    if not len(array):
        return []
    kept = np.ones(len(array), dtype=np.bool_)
    known = np.flatnonzero(~np.isnan(array).any(axis=1))  # others are not dominated
    if len(known):
        kept[known] = moocore.is_nondominated(_ranks(array[known]), keep_weakly=True)
    indices: list[int] = np.flatnonzero(kept).tolist()
    return indices


def _ranks(array: FloatArray) -> FloatArray:
    """Order of the values of each column: it alone counts, and moocore 0.3 crashes on infinity."""
    columns = [np.unique(column, return_inverse=True)[1] for column in array.T]
    return np.stack(columns, axis=1).astype(np.float64)


def hypervolume(
    points: Sequence[Values] | FloatArray, reference: Values, *, quickly: bool = False
) -> float:
    """Volume between the points and ``reference``; points that do not dominate it count nothing.

    Parameters
    ----------
    points : sequence of tuples
        Best those of a front alone.
    reference : tuple of float
    quickly : bool
        Estimate volumes that take more than about a second, within about 0.3 %: those of more than
        100,000 points in four objectives, 3,000 in five, 500 in six, 150 in seven.
    """
    array = np.array(points, dtype=np.float64).reshape(-1, len(reference))
    inside = array[(array < np.array(reference)).all(axis=1)]
    if not len(inside):
        return 0.0
    if not np.isfinite(np.array(reference) - inside).all():
        return math.inf
    if quickly and len(inside) ** (len(reference) - 2) > _EXACT:
        return float(moocore.hv_approx(inside, ref=reference, nsamples=_DIRECTIONS))
    return float(moocore.hypervolume(inside, ref=reference))


def convergence(outcomes: Sequence[Outcome], goals: Goals, reference: Values) -> list[float]:
    """Hypervolume after each evaluation, in the order of their places."""
    ordered = sorted(outcomes, key=lambda outcome: outcome.place)
    within = [k for k, outcome in enumerate(ordered) if goals.excess(outcome) == 0]
    points = [goals.values(ordered[k]) or () for k in within]
    added = np.zeros(len(ordered))
    found = np.empty((0, len(reference)))
    # With the time as one more objective, points are dominated by earlier ones only.
    for i in nondominated([(*point, time) for time, point in enumerate(points)]):
        point = np.array(points[i])
        added[within[i]] = _gain(found, point, reference)
        found = np.vstack([found[~(point <= found).all(axis=1)], point])
    curve: list[float] = np.cumsum(added).tolist()
    return curve


def _gain(found: FloatArray, point: FloatArray, reference: Values) -> float:
    """Volume that a point adds to those that do not dominate it: its box without theirs in it."""
    clipped = np.maximum(found, point)
    shared = hypervolume(clipped[nondominated(clipped)], reference)
    if math.isinf(shared):
        return 0.0
    return max(hypervolume(point[None], reference) - shared, 0.0)
