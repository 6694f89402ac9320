"""Simulation-based word-length search of Sung and Kum (IEEE Trans. Signal Processing, 1995).

First the minimum word length of each signal alone, every other being fine, for which the system
still performs well enough. These minima bound the solution from below; from their combination the
search goes upwards, the cheapest combination first, until one performs well enough.

Their one threshold is a series of them here, each a value that the first phase saw, which makes a
front: the loosest first, as the strictest takes longest.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable

from fxsim.explorer.methods.greedy import step
from fxsim.explorer.methods.sensitivity import cost_name, one_by_one
from fxsim.explorer.metrics import ACCURACY
from fxsim.explorer.outcome import Outcome
from fxsim.explorer.search import Search
from fxsim.explorer.space import Choices

THRESHOLDS = 12
"""Thresholds at most, evenly spaced among those that the first phase saw."""

TRIES = 60
"""Combinations at most that are tried for one threshold."""


def sung_kum(search: Search) -> None:
    """Search upwards from the minimum word lengths, threshold by threshold."""
    accuracy = next((name for name in search.goals.names if name in ACCURACY), "error")

    def badness(outcome: Outcome) -> float:
        return math.inf if outcome.metrics is None else outcome.metrics[accuracy]

    lines = one_by_one(search)
    search.ask([point for line in lines for point in line])
    seen = [[badness(outcome) for outcome in search.ask(line)] for line in lines]
    finest = seen[0][-1]
    levels = sorted({max(value, finest) for line in seen for value in line if value < math.inf})
    chosen = {levels[k * (len(levels) - 1) // max(THRESHOLDS - 1, 1)] for k in range(THRESHOLDS)}
    for threshold in sorted(chosen, reverse=True):
        start = tuple(_minimum(line, threshold) for line in seen)

        def good(outcome: Outcome, limit: float = threshold) -> bool:
            return badness(outcome) <= limit

        _upwards(search, start, good)


def _minimum(values: list[float], threshold: float) -> int:
    """Least index from which on every value is good enough; the last one if there is none."""
    least = len(values) - 1
    while least > 0 and values[least - 1] <= threshold:
        least -= 1
    return least


def _upwards(search: Search, start: Choices, good: Callable[[Outcome], bool]) -> None:
    """Try combinations above ``start``, the cheapest first, until one is good."""
    name = cost_name(search)
    (first,) = search.ask([start])
    queue = [(_cost(first, name), start)]
    known = {start}
    for _ in range(TRIES):
        if not queue:
            return
        _, point = heapq.heappop(queue)
        (outcome,) = search.ask([point])
        if good(outcome):
            return
        finer = [
            step(point, v, 1) for v, size in enumerate(search.space.sizes) if point[v] + 1 < size
        ]
        fresh = [other for other in finer if other not in known]
        known.update(fresh)
        for other in search.ask(fresh):
            heapq.heappush(queue, (_cost(other, name), other.choices))


def _cost(outcome: Outcome, name: str) -> float:
    return math.inf if outcome.metrics is None else outcome.metrics[name]
