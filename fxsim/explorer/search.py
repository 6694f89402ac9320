"""Between a method and the workers: every point is evaluated once, and is on disk at once.

Methods are deterministic functions of their seed and of what they are told, so resuming a run is
running it again: what the store knows is answered from there, and the method goes the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NoReturn

from fxsim.explorer.job import Job
from fxsim.explorer.outcome import Goals, Outcome
from fxsim.explorer.space import Choices, Space
from fxsim.explorer.store import Store
from fxsim.explorer.workers import Workers

Show = Callable[[Outcome], None]


class BudgetSpent(Exception):
    """The budget is used up; ends a method."""


class Search:
    """Interface of a method: the space, the goals, and `ask`.

    Parameters
    ----------
    budget : int or None
        Maximum number of evaluations.
    on_outcome : callable, optional
        Called with each new outcome as it comes.
    """

    def __init__(
        self,
        job: Job,
        store: Store,
        workers: Workers,
        *,
        seed: int,
        budget: int | None = None,
        on_outcome: Show | None = None,
    ) -> None:
        self.job = job
        self.seed = seed
        self.goals = Goals(job.space, job.float_error)
        self._budget = job.space.size if budget is None else min(budget, job.space.size)
        self._store = store
        self._workers = workers
        self._show = on_outcome
        self._stored = store.predicted()
        self._told: dict[Choices, Outcome] = {}

    @property
    def space(self) -> Space:
        """The search space."""
        return self.job.space

    @property
    def told(self) -> int:
        """Number of points that the method has been told of."""
        return len(self._told)

    @property
    def left(self) -> int:
        """Evaluations that the budget still allows."""
        return self._budget - len(self._told)

    def ask(self, points: Sequence[Choices]) -> list[Outcome]:
        """Outcomes of points, in their order; none is evaluated twice.

        Raises
        ------
        BudgetSpent
            If the budget does not allow them all; those that it allows are evaluated.
        """
        fresh = [point for point in dict.fromkeys(points) if point not in self._told]
        allowed = fresh[: self.left]
        places = {point: len(self._told) + k for k, point in enumerate(allowed)}
        missing = [point for point in allowed if point not in self._stored]
        for choices, found, seconds in self._workers.run(sorted(missing)):
            metrics, reason = (None, found) if isinstance(found, str) else (found, "")
            outcome = Outcome(choices, places[choices], metrics, reason)
            self._store.add(outcome, seconds)
            self._stored[choices] = outcome
            if self._show is not None:
                self._show(outcome)
        self._told |= {point: self._stored[point] for point in allowed}
        if len(allowed) < len(fresh):
            self._stop()
        return [self._told[point] for point in points]

    def _stop(self) -> NoReturn:
        raise BudgetSpent
