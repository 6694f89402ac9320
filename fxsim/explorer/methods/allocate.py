"""Word lengths from a sensitivity model: greedily, and exactly as an integer program.

Both draw the curve of least predicted loss over cost, and then ask for its points: the greedy one
as Tu et al. (2016) give bits to the groups of high information first, the exact one by
`scipy.optimize.milp` with a binary variable for each value of each variable.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from fxsim.errors import MissingToolError
from fxsim.explorer.methods.sensitivity import Sensitivity, measure
from fxsim.explorer.search import Search
from fxsim.explorer.space import Choices

BUDGETS = 40
"""Costs for which the integer program is solved, evenly spaced."""


def fisher(search: Search) -> None:
    """Give precision step by step where it saves most predicted loss for its cost."""
    search.ask(greedy_path(measure(search, fisher=True)))


def milp(search: Search) -> None:
    """Solve for the least predicted loss within each of many costs."""
    model = measure(search, fisher=True)
    search.ask(list(dict.fromkeys(exact_points(model))))


def greedy_path(model: Sensitivity) -> list[Choices]:
    """From the cheapest point upwards, always to the value of most loss saved for its cost."""
    point = [costs.index(min(costs)) for costs in model.cost]
    path = [tuple(point)]
    while True:
        best: tuple[float, int, int] | None = None
        for v, k in enumerate(point):
            for other in range(len(model.loss[v])):
                saved = model.loss[v][k] - model.loss[v][other]
                price = model.cost[v][other] - model.cost[v][k]
                if saved > 0 and price >= 0 and math.isfinite(price):
                    gain = saved / price if price else math.inf
                    if best is None or gain > best[0]:
                        best = gain, v, other
        if best is None:
            return path
        point[best[1]] = best[2]
        path.append(tuple(point))


def exact_points(model: Sensitivity, budgets: int = BUDGETS) -> list[Choices]:
    """Point of least predicted loss for each of ``budgets`` costs, from the least to the greatest.

    Raises
    ------
    MissingToolError
        If scipy is not installed.
    """
    try:
        from scipy.optimize import Bounds, LinearConstraint, milp
    except ImportError:
        raise MissingToolError(
            "scipy is not installed; install it with: pip install 'fxsim[explore]'"
        ) from None
    sizes = [len(losses) for losses in model.loss]
    loss, cost = (np.concatenate(part).astype(float) for part in (model.loss, model.cost))
    possible = np.isfinite(loss) & np.isfinite(cost)
    loss, cost = np.where(possible, loss, 0.0), np.where(possible, cost, 0.0)
    starts = np.cumsum([0, *sizes])
    one = np.zeros((len(sizes), loss.size))
    for v, (a, b) in enumerate(pairwise(starts)):
        one[v, a:b] = 1.0
    finite = [[c for c in costs if math.isfinite(c)] for costs in model.cost]
    low, high = sum(map(min, finite)), sum(map(max, finite))
    unit = max(abs(low), abs(high), 1.0)  # the solver likes numbers near 1
    weight = max(float(loss.max()), 1e-30)
    points = []
    for budget in np.linspace(low, high, budgets):
        solved = milp(
            loss / weight,
            integrality=np.ones(loss.size),
            bounds=Bounds(0.0, possible.astype(float)),
            constraints=[
                LinearConstraint(one, 1.0, 1.0),
                LinearConstraint(cost[None, :] / unit, -np.inf, budget / unit + 1e-9),
            ],
        )
        if solved.x is not None:
            chosen = np.round(solved.x).astype(int)
            points.append(tuple(int(chosen[a:b].argmax()) for a, b in pairwise(starts)))
    return points
