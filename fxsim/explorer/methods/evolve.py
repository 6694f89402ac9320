"""NSGA-II and the tree-structured Parzen estimator, by Optuna.

Points are asked for in batches of a fixed size, whoever evaluates them, and told in the order in
which they were asked for: the search is a function of its seed.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fxsim.errors import MissingToolError
from fxsim.explorer.outcome import Outcome
from fxsim.explorer.search import Search

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

POPULATION = 40
BATCH = 8
"""Points that TPE asks for before it hears of them."""

IDLE = 25
"""Batches without a new point that end a search."""


def nsga2(search: Search) -> None:
    """Non-dominated sorting genetic algorithm II (Deb et al. 2002), constraints by domination."""

    def sampler(optuna: Any) -> Any:
        return optuna.samplers.NSGAIISampler(
            population_size=POPULATION, seed=search.seed, constraints_func=_constraints
        )

    _search(search, sampler, POPULATION)


def tpe(search: Search) -> None:
    """Multi-objective tree-structured Parzen estimator (Ozaki et al. 2022)."""

    def sampler(optuna: Any) -> Any:
        return optuna.samplers.TPESampler(
            seed=search.seed,
            multivariate=True,
            constant_liar=True,
            n_startup_trials=2 * BATCH,
            constraints_func=_constraints,
        )

    _search(search, sampler, BATCH)


def _constraints(trial: FrozenTrial) -> Sequence[float]:
    excess: float = trial.user_attrs.get("excess", float("inf"))
    return (excess,)


def _search(search: Search, sampler: Any, size: int) -> None:
    optuna = _optuna()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        made: BaseSampler = sampler(optuna)
        study = optuna.create_study(directions=["minimize"] * len(search.goals.names), sampler=made)
        idle = 0
        while idle < IDLE and search.left:
            before = search.told
            trials = [study.ask() for _ in range(size)]
            points = [
                tuple(
                    trial.suggest_int(name, 0, count - 1)
                    for name, count in zip(search.space.names, search.space.sizes, strict=True)
                )
                for trial in trials
            ]
            for trial, outcome in zip(trials, search.ask(points), strict=True):
                _tell(study, trial, search, outcome)
            idle = 0 if search.told > before else idle + 1


def _tell(study: Any, trial: Any, search: Search, outcome: Outcome) -> None:
    values = search.goals.values(outcome)
    trial.set_user_attr("excess", search.goals.excess(outcome))
    if values is None:
        study.tell(trial, state=_optuna().trial.TrialState.FAIL)
    else:
        study.tell(trial, list(values))


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise MissingToolError(
            "Optuna is not installed; install it with: pip install 'fxsim[explore]'"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
