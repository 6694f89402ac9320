"""Which runs reproduce Zhu et al. 2017, quickly and fully."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from fxsim.reproduce.zhu2017.run import Recipe

DENSE = "dense"
SENSITIVITY_ZEROS = 0.8


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Runs of an experiment.

    Parameters
    ----------
    base : Recipe
        Of the main runs.
    seeds : tuple of int
        Of dense training and of the thresholds in ``repeated``; other runs use the first.
    taus : tuple of float
        Static thresholds times batch * time; those of one step up are neighbours here.
    repeated : tuple of float
    other : dict
        Words, the literal sign test and steered thresholds: changes of ``base`` by name.
    topologies : tuple of dict
        Changes of ``sensitivity`` of the sensitivity test.
    sensitivity : Recipe
    """

    base: Recipe
    seeds: tuple[int, ...]
    taus: tuple[float, ...]
    repeated: tuple[float, ...]
    other: dict[str, dict[str, Any]]
    topologies: tuple[dict[str, int], ...]
    sensitivity: Recipe

    def runs(self) -> dict[str, Recipe]:
        """Every run by the name that it is stored under."""
        runs: dict[str, Recipe] = {}
        for tau in (0.0, *self.taus):
            seeds = self.seeds if not tau or tau in self.repeated else self.seeds[:1]
            for seed in seeds:
                sparsify = {"tau": tau} if tau else {"threshold": 0.0}
                looks = not tau and seed == self.seeds[0]
                recipe = replace(self.base, seed=seed, sparsify=sparsify, stages=looks)
                runs[run_name(tau_name(tau), seed)] = recipe
        for name, changes in self.other.items():
            runs[run_name(name, self.seeds[0])] = replace(self.base, seed=self.seeds[0], **changes)
        for recipe in self.networks():
            runs[f"{topology_name(recipe)}-{DENSE}"] = recipe
            runs[f"{topology_name(recipe)}-zeros"] = replace(
                recipe, sparsify={"sparsity": SENSITIVITY_ZEROS}
            )
        return runs

    def networks(self) -> list[Recipe]:
        """Runs of the sensitivity test."""
        base: dict[str, Any] = {"seed": self.seeds[0]}
        return [replace(self.sensitivity, **(base | topology)) for topology in self.topologies]

    @property
    def steered(self) -> list[str]:
        """Names of the steered thresholds."""
        return [name for name in self.other if name.startswith("steered")]


def tau_name(tau: float) -> str:
    """Name of a static threshold."""
    return f"tau-{tau:g}" if tau else DENSE


def run_name(name: str, seed: int) -> str:
    """Name of a run in the store."""
    return f"{name}-seed{seed}"


def topology_name(recipe: Recipe) -> str:
    """Name of a network of the sensitivity test."""
    return f"{recipe.layers}x{recipe.cells}-steps{recipe.steps}"


def _words(bits: int, fraction: int, scale: str, rounding: str) -> dict[str, Any]:
    words = {"bits": bits, "fraction": fraction, "scale": scale, "rounding": rounding}
    return {"sparsify": {"words": words}}


OTHER: dict[str, dict[str, Any]] = {
    "literal": {"sparsify": {"tau": 8e-4}, "literal": True},
    "words-8-global": _words(8, 6, "global", "nearest"),
    "words-8-global-stochastic": _words(8, 6, "global", "stochastic"),
    "words-6-global": _words(6, 4, "global", "nearest"),
    "words-6-layer": _words(6, 4, "layer", "nearest"),
    "words-6-block": _words(6, 4, "block", "nearest"),
    "words-6-block-stochastic": _words(6, 4, "block", "stochastic"),
    "steered-zeros-0.8": {"sparsify": {"sparsity": 0.8}},
    "steered-zeros-0.9": {"sparsify": {"sparsity": 0.9}},
    "steered-correlation-0.99": {"sparsify": {"correlation": 0.99}},
}
"""The words hold -2 to 2 (of the summed loss) where their scale is global."""

QUICK = Plan(
    base=Recipe(),
    seeds=(1, 2, 3),
    taus=(8e-4, 8e-3, 1.4e-2, 2.4e-2, 8e-2, 0.8),
    repeated=(8e-3, 1.4e-2, 2.4e-2, 8e-2),
    other=OTHER,
    topologies=(
        {"layers": 1},
        {"layers": 3},
        {"cells": 32},
        {"cells": 128},
        {"steps": 25},
        {"steps": 100},
    ),
    sensitivity=Recipe(),
)
"""2 x 64 cells, two epochs."""

FULL = Plan(
    base=Recipe(layers=3, cells=256, steps=100, epochs=5),
    seeds=(1, 2, 3),
    taus=(8e-5, 8e-4, 8e-3, 1.4e-2, 2.4e-2, 8e-2, 0.8),
    repeated=(8e-3, 1.4e-2, 2.4e-2, 8e-2),
    other=OTHER,
    topologies=(
        {"layers": 2},
        {"layers": 6},
        {"cells": 128},
        {"cells": 512},
        {"steps": 25},
        {"steps": 50},
    ),
    sensitivity=Recipe(layers=3, cells=256, steps=100, epochs=3),
)
"""The paper's 3 x 256 cells and 100 steps, on our text."""
