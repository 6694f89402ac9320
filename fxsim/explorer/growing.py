"""A front that grows with each outcome, for what is shown while a search runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from fxsim.explorer.outcome import Goals, Outcome
from fxsim.explorer.pareto import front, hypervolume
from fxsim.network import FloatArray


class GrowingFront:
    """The `front` of all outcomes so far; an outcome costs one comparison with its points.

    Parameters
    ----------
    goals : Goals
    outcomes : iterable of Outcome
        Those that are known at first.
    """

    def __init__(self, goals: Goals, outcomes: Iterable[Outcome] = ()) -> None:
        known = list(outcomes)
        self._goals = goals
        self._kept = front(known, goals)
        self._points = self._values(self._kept)
        self._worst = self._values(known).max(axis=0, initial=-np.inf)

    def add(self, outcome: Outcome) -> None:
        """Take an outcome: alone, or in place of those that it dominates."""
        values = self._goals.values(outcome)
        if values is None:
            return
        point = np.array(values, dtype=np.float64)
        self._worst = np.maximum(self._worst, point)
        if self._goals.excess(outcome) > 0:
            return
        as_good = (self._points <= point).all(axis=1)
        if as_good.any():
            k = int(as_good.argmax())
            if (self._points[k] == point).all() and outcome.choices < self._kept[k].choices:
                self._kept[k] = outcome
            return
        stay = ~(point <= self._points).all(axis=1)
        self._kept = [self._kept[k] for k in np.flatnonzero(stay)] + [outcome]
        self._points = np.vstack([self._points[stay], point])

    @property
    def outcomes(self) -> list[Outcome]:
        """The front, as `front` gives it."""
        return [self._kept[k] for k in np.lexsort(self._points.T[::-1])]

    @property
    def share(self) -> float:
        """Share of the box from 0 to the worst values of all outcomes that the front dominates.

        Volumes that take long are estimated.
        """
        scale = np.where(self._worst == 0, 1.0, self._worst)
        return hypervolume(self._points / scale, (1.0,) * scale.size, quickly=True)

    def _values(self, outcomes: Sequence[Outcome]) -> FloatArray:
        rows = [values for outcome in outcomes if (values := self._goals.values(outcome))]
        return np.array(rows, dtype=np.float64).reshape(-1, len(self._goals.names))
