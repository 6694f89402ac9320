"""Sensitivity-driven descent from the finest point: always the step that costs least loss."""

from __future__ import annotations

import math

from fxsim.explorer.methods.sensitivity import cost_name
from fxsim.explorer.search import Search
from fxsim.explorer.space import Choices


def greedy(search: Search) -> None:
    """Coarsen one variable by one value at a time, until all are at their coarsest.

    Each step measures the loss that every such move adds for the cost that it saves, at the point
    reached, and takes the least.
    """
    name = cost_name(search)
    point = search.space.finest
    while any(point):
        (now,) = search.ask([point])
        moves = [step(point, v, -1) for v, k in enumerate(point) if k]
        outcomes = search.ask(moves)

        def price(k: int) -> float:
            seen = outcomes[k].metrics  # noqa: B023  used within the turn of the loop
            if seen is None or now.metrics is None:  # noqa: B023
                return math.inf
            added = seen["loss"] - now.metrics["loss"]  # noqa: B023
            saved = now.metrics[name] - seen[name]  # noqa: B023
            return added / saved if saved > 0 else math.inf if added > 0 else -math.inf

        point = moves[min(range(len(moves)), key=price)]


def step(point: Choices, variable: int, by: int) -> Choices:
    """Point with one variable moved."""
    return (*point[:variable], point[variable] + by, *point[variable + 1 :])
