"""Finished runs, and the figures that tables and verdicts are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fxsim.network.lstm import GATES
from fxsim.reproduce.zhu2017.plan import DENSE, Plan, run_name, tau_name, topology_name
from fxsim.reproduce.zhu2017.run import Recipe

Run = Mapping[str, Any]
"""Results that `fxsim.reproduce.zhu2017.run.run` returns."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Dense and sparse training of one network of the sensitivity test.

    ``rise`` is that of the validation loss, relative; ``zeros`` the share in sparse training.
    """

    recipe: Recipe
    dense: Run
    sparse: Run
    rise: float
    zeros: float


@dataclass(frozen=True, kw_only=True)
class Steered:
    """A steered threshold against a static one with as many zeros.

    ``better`` is its loss minus the static one, in bits per character.
    """

    name: str
    better: float


@dataclass(frozen=True, kw_only=True)
class Results:
    """All runs of a plan, by name."""

    plan: Plan
    runs: Mapping[str, Run]

    def first(self, name: str) -> Run:
        """Run with the first seed."""
        return self.runs[run_name(name, self.plan.seeds[0])]

    def seeds(self, name: str) -> list[Run]:
        """Runs with all the seeds that there are."""
        names = (run_name(name, seed) for seed in self.plan.seeds)
        return [self.runs[name] for name in names if name in self.runs]

    def mean(self, name: str, key: Callable[[Run], float]) -> float:
        """Mean over the seeds."""
        return float(np.mean([key(run) for run in self.seeds(name)]))

    def losses(self, name: str) -> list[float]:
        """Last validation loss of each seed."""
        return [loss(run) for run in self.seeds(name)]

    def rise(self, name: str) -> float:
        """Relative rise of the loss over dense training, mean of the seeds that both have."""
        pairs = zip(self.losses(DENSE), self.losses(name), strict=False)
        return float(np.mean([mine / dense - 1 for dense, mine in pairs]))

    @property
    def noise(self) -> float:
        """Standard deviation of the loss of dense training over the seeds; 0 for one seed."""
        dense = self.losses(DENSE)
        return float(np.std(dense, ddof=1)) if len(dense) > 1 else 0.0

    @property
    def stages(self) -> list[dict[str, Any]]:
        """Looks at single steps of dense training."""
        stages: list[dict[str, Any]] = self.first(DENSE)["stages"]
        return stages

    @property
    def pairs(self) -> list[Pair]:
        """The sensitivity test."""
        found = []
        for recipe in self.plan.networks():
            dense, sparse = (
                self.runs[f"{topology_name(recipe)}-{kind}"] for kind in (DENSE, "zeros")
            )
            rise = loss(sparse) / loss(dense) - 1
            found.append(
                Pair(recipe=recipe, dense=dense, sparse=sparse, rise=rise, zeros=zeros(sparse))
            )
        return found

    @property
    def steered(self) -> list[Steered]:
        """Steered thresholds; the static loss is interpolated between its neighbours."""
        taus = (self.first(tau_name(tau)) for tau in (0.0, *self.plan.taus))
        static = sorted((zeros(run), loss(run)) for run in taus)
        shares, values = [x for x, _ in static], [y for _, y in static]
        found = []
        for name in self.plan.steered:
            run = self.first(name)
            better = loss(run) - float(np.interp(zeros(run), shares, values))
            found.append(Steered(name=name, better=better))
        return found


def loss(run: Run) -> float:
    """Validation loss at the end, in bits per character."""
    return float(run["validation"][-1][1])


def zeros(run: Run) -> float:
    """Share of zero gate gradients over all layers and steps."""
    return float(np.mean(run["sparsity"]))


def redundant(run: Run) -> float:
    """Share of the multiplications of training with a zero gate gradient."""
    return float(run["redundant"])


def edges(stage: Mapping[str, Any]) -> dict[str, float]:
    """Share of activations in the outermost bins at both ends, by gate."""
    return {name: float(stage["gates"][name][0] + stage["gates"][name][-1]) for name in GATES}
