"""Pareto fronts and the volume that they dominate; every objective is to be small."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from fxsim.explorer.outcome import Goals, Outcome
from fxsim.network import FloatArray

Values = tuple[float, ...]


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


def nondominated(points: Sequence[Values]) -> list[int]:
    """Indices of the points that no other is at most as great as in everything, and less in one."""
    if not points:
        return []
    array = np.array(points, dtype=np.float64)
    result = []
    for k, point in enumerate(array):
        dominates = (array <= point).all(axis=1) & (array < point).any(axis=1)
        if not dominates.any():
            result.append(k)
    return result


def hypervolume(points: Sequence[Values], reference: Values) -> float:
    """Volume between the points and ``reference``; points that do not dominate it count nothing.

    Slices along the last objective, exact: one slice for each of its values, recursively
    (Zitzler 1999). The time grows with the number of points to the power of the objectives less
    one.
    """
    array = np.array(points, dtype=np.float64).reshape(-1, len(reference))
    inside = array[(array < np.array(reference)).all(axis=1)]
    return _volume(inside, np.array(reference, dtype=np.float64))


def _volume(points: FloatArray, reference: FloatArray) -> float:
    if not len(points):
        return 0.0
    if points.shape[1] == 1:
        return float(reference[0] - points.min())
    points = points[np.argsort(points[:, -1], kind="stable")]
    edges = np.append(points[:, -1], reference[-1])
    total = 0.0
    for k in range(len(points)):
        if (height := edges[k + 1] - edges[k]) > 0:
            total += height * _volume(points[: k + 1, :-1], reference[:-1])
    return float(total)


def convergence(outcomes: Sequence[Outcome], goals: Goals, reference: Values) -> list[float]:
    """Hypervolume after each evaluation, in the order of their places."""
    found: list[Values] = []
    curve = []
    volume = 0.0
    for outcome in sorted(outcomes, key=lambda outcome: outcome.place):
        values = goals.values(outcome)
        if values is not None and goals.excess(outcome) == 0:
            dominated = any(all(a <= b for a, b in zip(p, values, strict=True)) for p in found)
            if not dominated:
                found = [found[k] for k in nondominated(found)] + [values]
                volume = hypervolume(found, reference)
        curve.append(volume)
    return curve
