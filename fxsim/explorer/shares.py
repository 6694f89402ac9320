"""Points for several who evaluate: each takes neighbours, for these share layers."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Sequence
from itertools import islice

from fxsim.explorer.space import Choices

_BLOCK = 16
"""Points at most that are taken at a time: so many are lost with a process."""


class Shares:
    """A run of neighbouring points for each taker; who has done its own takes half of another's.

    Parameters
    ----------
    points : sequence of Choices
        In an order in which neighbours have much in common.
    takers : int
        Runs that they are cut into.
    """

    def __init__(self, points: Sequence[Choices], takers: int) -> None:
        size = max(1, -(-len(points) // takers))
        self._spare = deque(deque(points[k : k + size]) for k in range(0, len(points), size))
        self._runs: dict[Hashable, deque[Choices]] = {}

    def __len__(self) -> int:
        """Points that nobody has taken."""
        return sum(map(len, self._spare)) + sum(map(len, self._runs.values()))

    def take(self, taker: Hashable) -> list[Choices]:
        """The next points for a taker, fewer towards the end; none if there are no more."""
        if not self._runs.get(taker):
            self._runs[taker] = self._another()
        run = self._runs[taker]
        return [run.popleft() for _ in range(min(_BLOCK, -(-len(run) // 2)))]

    def lose(self, taker: Hashable, points: Sequence[Choices]) -> None:
        """A taker has gone without finishing ``points``: they and its run are for the others."""
        self._spare.append(deque([*points, *self._runs.pop(taker, ())]))

    def _another(self) -> deque[Choices]:
        if self._spare:
            return self._spare.popleft()
        longest = max(self._runs.values(), key=len, default=deque[Choices]())
        found = deque(islice(longest, len(longest) // 2, None))
        for _ in found:
            longest.pop()
        return found
