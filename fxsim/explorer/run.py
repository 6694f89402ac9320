"""A whole exploration: store, workers, method, and synthesis of what the front holds."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import fxsim
from fxsim.errors import SpecError
from fxsim.explorer.job import Job
from fxsim.explorer.methods import check_method, run_method
from fxsim.explorer.outcome import Outcome
from fxsim.explorer.search import Search
from fxsim.explorer.space import Space
from fxsim.explorer.store import Store
from fxsim.explorer.workers import Workers, local_workers

__all__ = [
    "Settings",
    "StartWorkers",
    "check_budget",
    "check_method",
    "facts_of",
    "goals_of",
    "search_space",
]

StartWorkers = Callable[[Job], AbstractContextManager[Workers]]


DEFAULT_BUDGET = 1000
"""Default budget of evaluations of methods other than the grid."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Method of an exploration, its seed, and the maximum number of evaluations."""

    method: str = "grid"
    seed: int = 1
    budget: int | None = None


def facts_of(job: Job, settings: Settings, command: str = "", rebuild: str = "") -> dict[str, Any]:
    """Facts of a run for the store, by name; ``rebuild`` is a command that makes ``{point}``."""
    packages = ("numpy", "numba", "scipy", "optuna")
    return {
        "name": job.space.spec.name,
        "data": job.space.spec.data,
        "spec": job.space.spec.model_dump(mode="json", exclude={"explore"}),
        "space": job.space.describe(),
        "hash": job.hash,
        "direct": job.direct,
        "method": settings.method,
        "seed": settings.seed,
        "float_error": job.float_error,
        "validation_samples": int(job.validation.y.size),
        "versions": {
            "fxsim": fxsim.__version__,
            "python": sys.version.split()[0],
            **{name: version for name in packages if (version := _version(name))},
        },
        "command": command,
        "rebuild": rebuild,
    }


def check_budget(space: Space, settings: Settings) -> None:
    """Check that a grid fits the budget.

    Raises
    ------
    SpecError
        If it is larger.
    """
    budget = settings.budget
    if settings.method == "grid" and budget is not None and space.size > budget:
        raise SpecError(
            f"budget must be at least {space.size}, the points of the grid, not {budget};"
            " or give another method"
        )


def search_space(
    job: Job,
    store: Store,
    settings: Settings,
    *,
    workers: StartWorkers | None = None,
    on_outcome: Callable[[Outcome], None] | None = None,
) -> Search:
    """Run a method over the space of a job; every outcome goes into the store at once.

    Raises
    ------
    SpecError
        If the grid is larger than the budget.
    ConfigError
        If the method is unknown or a worker cannot be had.
    """
    check_budget(job.space, settings)
    budget = settings.budget
    if budget is None and settings.method != "grid":
        budget = DEFAULT_BUDGET
    with (workers or (lambda job: local_workers(job, 1)))(job) as ready:
        search = Search(job, store, ready, seed=settings.seed, budget=budget, on_outcome=on_outcome)
        run_method(settings.method, search)
    return search


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def goals_of(facts: Mapping[str, Any]) -> tuple[Any, float]:
    """Search space and float error of a store, from its facts."""
    from fxsim.explorer.space import parse_space
    from fxsim.spec import parse_spec

    spec = parse_spec(facts["spec"], "the store")
    return parse_space(spec, facts["space"], "the store"), float(facts["float_error"])
