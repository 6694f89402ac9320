"""Zhu et al. 2017, Training LSTM with sparsified SGD."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from fxsim.data import pydoc
from fxsim.processes import each
from fxsim.reproduce.experiment import Outcome
from fxsim.reproduce.papers import Tell
from fxsim.reproduce.store import Store
from fxsim.reproduce.zhu2017.figures import figures
from fxsim.reproduce.zhu2017.plan import FULL, QUICK, Plan
from fxsim.reproduce.zhu2017.results import Results
from fxsim.reproduce.zhu2017.run import Recipe, run
from fxsim.reproduce.zhu2017.tables import setup, tables
from fxsim.reproduce.zhu2017.trends import trends
from fxsim.training import StepRecord

__all__ = ["FULL", "QUICK", "Job", "Plan", "evaluate", "missing", "reproduce"]


def missing(plan: Plan, folder: Path) -> dict[str, int]:
    """Unfinished runs and their training steps."""
    store, dataset = Store(folder / "runs"), pydoc.load()
    return {
        name: recipe.total(dataset)
        for name, recipe in plan.runs().items()
        if store.find(name, recipe.plain(pydoc.digest())) is None
    }


def reproduce(
    plan: Plan,
    folder: Path,
    on_step: Callable[[str, StepRecord], None] | None = None,
    on_run: Callable[[str, dict[str, Any]], None] | None = None,
    processes: int = 1,
) -> Outcome:
    """Do the runs that are not yet in ``folder``, and evaluate all.

    Parameters
    ----------
    plan : Plan
    folder : Path
        Finished runs are kept in its folder ``runs``.
    on_step, on_run : callable, optional
        Called with the name of a run after each step, if it is done in this process, and with its
        result when it is finished.
    processes : int
        That many runs at a time; training does not depend on it, nor do scores but for the last
        bits of sums.

    Raises
    ------
    ConfigError
        If a process dies.
    FileError
        If a stored run cannot be read or written.
    RangeError
        If the loss of a run stops being finite.
    """
    digest, recipes = pydoc.digest(), plan.runs()
    store = Store(folder / "runs")
    found = {name: store.find(name, recipe.plain(digest)) for name, recipe in recipes.items()}
    waiting = [name for name, result in found.items() if result is None]
    perform = partial(_perform, recipes=recipes, store=store)
    if min(processes, len(waiting)) <= 1:
        perform = partial(perform, on_step=on_step)
    for name, result in each(perform, waiting, processes):
        found[name] = result
        if on_run is not None:
            on_run(name, result)
    runs = {name: result for name, result in found.items() if result is not None}
    return evaluate(Results(plan=plan, runs=runs))


def _perform(
    name: str,
    *,
    recipes: Mapping[str, Recipe],
    store: Store,
    on_step: Callable[[str, StepRecord], None] | None = None,
) -> dict[str, Any]:
    def tell(record: StepRecord) -> None:
        if on_step is not None:
            on_step(name, record)

    found = run(recipes[name], pydoc.load(), tell)
    store.keep(name, recipes[name].plain(pydoc.digest()), found)
    return found


class Job:
    """The experiment with its folder (`fxsim.reproduce.papers.Job`).

    Counts steps too, if only one run is done at a time.
    """

    def __init__(self, plan: Plan, folder: Path, processes: int = 1) -> None:
        self._plan, self._folder, self._processes = plan, folder, processes
        left = missing(plan, folder)
        self.amount = {"runs": len(left)}
        if min(processes, len(left)) == 1:
            self.amount["steps"] = sum(left.values())

    def perform(self, tell: Tell) -> Outcome:
        """Do what is left, and evaluate all."""

        def step(name: str, record: StepRecord) -> None:
            tell("steps", f"{name}: step {record.step}, loss {record.loss:.3f}")

        def finished(name: str, result: dict[str, Any]) -> None:
            tell("runs", f"{name}: {result['validation'][-1][1]:.3f} bits per character")

        return reproduce(self._plan, self._folder, step, finished, self._processes)


def evaluate(results: Results) -> Outcome:
    """Verdicts, tables and figures of finished runs."""
    return Outcome(
        name="zhu2017",
        title="Sparsified SGD for LSTM (Zhu et al. 2017)",
        setup=setup(results),
        trends=trends(results),
        tables=tables(results),
        plots=figures(results),
    )
