"""Finished runs of one kind of network, by width and by depth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fxsim.reproduce.runs import Results
from fxsim.reproduce.sung2015.plan import Frames, Images

Run = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Family:
    """Seeds of each network.

    Parameters
    ----------
    kind : str
        Before the names of tables and figures.
    title, of_width, of_depth : str
        Description of the networks, and what their columns say.
    widths : dict
        Runs by label, of the greatest depth.
    places : list of int
        Of the widths in figures.
    depths : dict
        Runs by depth and label, where one width has several depths.
    every : list
        Title, seed and run of each network.
    """

    kind: str
    title: str
    of_width: str
    of_depth: str
    widths: dict[str, list[Run]]
    places: list[int]
    depths: dict[tuple[int, str], list[Run]]
    every: list[tuple[str, int, Run]]

    def over_width(self, value: Callable[..., float], *arguments: Any) -> list[float]:
        """Mean of the seeds of each width."""
        return [mean(runs, value, *arguments) for runs in self.widths.values()]

    @property
    def groups(self) -> list[str]:
        """Names of the groups of weights over the width."""
        return list(next(iter(self.widths.values()))[0]["groups"])


def family(
    recipes: Sequence[Frames | Images],
    results: Results,
    title: str,
    of_width: str,
    of_depth: str,
) -> Family:
    """Sort the runs of ``recipes``.

    Depths are those of the networks that are as wide at the end as a shallower one.
    """
    deepest = max(recipe.depth for recipe in recipes)
    shallow = {recipe.width for recipe in recipes if recipe.depth < deepest}
    widths: dict[str, list[Run]] = {}
    depths: dict[tuple[int, str], list[Run]] = {}
    places: dict[str, int] = {}
    for recipe in sorted(recipes, key=lambda recipe: (recipe.width, recipe.seed)):
        if recipe.depth == deepest:
            widths.setdefault(recipe.label, []).append(results[recipe.name])
            places[recipe.label] = recipe.width
    for recipe in sorted(recipes, key=lambda recipe: recipe.depth):
        if recipe.width in shallow:
            key = (recipe.depth, recipe.label)
            depths.setdefault(key, []).append(results[recipe.name])
    return Family(
        kind=recipes[0].kind,
        title=title,
        of_width=of_width,
        of_depth=of_depth,
        widths=widths,
        places=list(places.values()),
        depths=depths,
        every=[(r.title, r.seed, results[r.name]) for r in recipes],
    )


def gap(run: Run, bits: int, against: str = "further") -> float:
    """Error of the retrained network above that of a float network, in points."""
    return float(run["retrained"][str(bits)] - run[against])


def damage(run: Run, bits: int) -> float:
    """Error that direct quantization adds, in points."""
    return float(run["direct"][str(bits)] - run["float"])


def excess(run: Run, group: str) -> float:
    """Error that quantizing one group of weights to 3 levels adds, in points."""
    return float(run["groups"][group] - run["float"])


def mean(runs: Sequence[Run], value: Callable[..., float], *arguments: Any) -> float:
    """Mean of the seeds."""
    return float(np.mean([value(run, *arguments) for run in runs]))
