"""Claims of Tu et al. 2016, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from fxsim.reproduce.experiment import Trend, spread
from fxsim.reproduce.tu2016.run import METHODS, SHARES


def pruning(runs: list[dict[str, Any]], method: str, column: int) -> list[float]:
    """Accuracy (0) or loss (1) over `SHARES`, mean of the seeds."""
    values = [[point[column] for point in run["pruning"][method]] for run in runs]
    return [float(v) for v in np.mean(values, axis=0)]


def words(runs: list[dict[str, Any]], method: str) -> list[list[float]]:
    """Average bits, accuracy, loss and two ratios, by clusters or bits; mean of the seeds."""
    means: list[list[float]] = np.mean([run["words"][method] for run in runs], axis=0).tolist()
    return means


def bits_needed(points: list[list[float]], accuracy: float, tolerance: float = 0.1) -> float:
    """Least average bits within ``tolerance`` points of an accuracy; infinity if none is."""
    return min((p[0] for p in points if p[1] >= accuracy - tolerance), default=float("inf"))


def removable(run: Mapping[str, Any], method: str, points: float = 1.0) -> float:
    """Percent that can be removed at a loss of ``points`` of accuracy; linear in between.

    0 if the least share of `SHARES` is too much already.
    """
    goal = float(run["float"][0]) - points
    hits = [float(hit) for hit, _ in run["pruning"][method]]
    for i, (before, after) in enumerate(pairwise(hits)):
        if before >= goal > after:
            part = (before - goal) / (before - after)
            return 100 * (SHARES[i] + part * (SHARES[i + 1] - SHARES[i]))
    return 100 * SHARES[-1] if hits[-1] >= goal else 0.0


def _mean(values: list[float]) -> float:
    return float(np.mean(values))


def trends(title: str, runs: list[dict[str, Any]]) -> list[Trend]:
    """All claims, for one kind of network."""
    magnitude, fisher = (pruning(runs, name, 0) for name in ("mag", "fisher"))
    removed = {name: [removable(run, name) for run in runs] for name in METHODS}
    losses = {name: pruning(runs, name, 1) for name in ("mag", "mag_fisher r=0.05")}
    high = [i for i, share in enumerate(SHARES) if share >= 0.93]
    pruned = float(np.mean([run["pruned"][0] for run in runs]))
    needed = {name: bits_needed(words(runs, name), pruned) for name in ("fisher", "uniform", "mag")}

    def over(values: list[float]) -> str:
        return " / ".join(f"{values[i]:.2f}" for i in high)

    return [
        Trend(
            claim=f"{title}: Fisher information alone is the worst guide",
            paper="Fig. 2",
            here=f"{fisher[0]:.2f} against {magnitude[0]:.2f} % at {100 * SHARES[0]:g} % pruned",
            holds=all(a < b for a, b in zip(fisher, magnitude, strict=True)),
        ),
        Trend(
            claim=f"{title}: mag_fisher (r = 0.05) prunes more than magnitude at 1 point of loss",
            paper="94.72 against 92.18 %",
            here=f"{spread(removed['mag_fisher r=0.05'])} against {spread(removed['mag'])} %",
            holds=_mean(removed["mag_fisher r=0.05"]) > _mean(removed["mag"]),
        ),
        Trend(
            claim="... with r = 0.02",
            paper="r below 0.1 gives good results",
            here=f"{spread(removed['mag_fisher r=0.02'])} against {spread(removed['mag'])} %",
            holds=_mean(removed["mag_fisher r=0.02"]) > _mean(removed["mag"]),
        ),
        Trend(
            claim=f"{title}: mag_fisher (r = 0.05) has the lower loss",
            paper="Fig. 3",
            here=f"{over(losses['mag_fisher r=0.05'])} against {over(losses['mag'])}",
            holds=all(losses["mag_fisher r=0.05"][i] < losses["mag"][i] for i in high),
        ),
        Trend(
            claim=f"{title}: word lengths by Fisher information need fewer bits than uniform ones",
            paper="2.4 against 3 bits",
            here=f"{needed['fisher']:.2f} against {needed['uniform']:.2f} bits, within 0.1 points",
            holds=needed["fisher"] < needed["uniform"],
        ),
        Trend(
            claim=f"{title}: word lengths by magnitude never reach the accuracy",
            paper="Fig. 5",
            here=f"{needed['mag']:.2f} bits",
            holds=needed["mag"] == float("inf"),
        ),
        Trend(
            claim=f"{title}: the compression is more than tenfold with indices counted",
            paper="251 without them",
            here=" to ".join(
                f"{value:.1f}" for value in ratios(words(runs, "fisher"), needed["fisher"])
            )
            + " (all counted, as in the paper)",
            holds=ratios(words(runs, "fisher"), needed["fisher"])[0] > 10,
        ),
    ]


def ratios(points: list[list[float]], bits: float) -> tuple[float, float]:
    """With everything counted and as the paper counts, where ``bits`` are reached."""
    point = next((p for p in points if p[0] == bits), points[-1])
    return point[4], point[3]
