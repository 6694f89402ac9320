"""Zhu et al. 2017, Training LSTM with sparsified SGD."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fxsim.data import pydoc
from fxsim.reproduce.experiment import Outcome
from fxsim.reproduce.papers import Tell
from fxsim.reproduce.store import Store
from fxsim.reproduce.zhu2017.figures import figures
from fxsim.reproduce.zhu2017.plan import FULL, QUICK, Plan
from fxsim.reproduce.zhu2017.results import Results
from fxsim.reproduce.zhu2017.run import run
from fxsim.reproduce.zhu2017.tables import setup, tables
from fxsim.reproduce.zhu2017.trends import trends
from fxsim.train import StepRecord

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
) -> Outcome:
    """Do the runs that are not yet in ``folder``, and evaluate all.

    Parameters
    ----------
    plan : Plan
    folder : Path
        Finished runs are kept in its folder ``runs``.
    on_step, on_run : callable, optional
        Called with the name of a run after each step, and with its result when it is finished.

    Raises
    ------
    FileError
        If a stored run cannot be read or written.
    RangeError
        If the loss of a run stops being finite.
    """
    dataset, digest = pydoc.load(), pydoc.digest()
    store, results = Store(folder / "runs"), {}
    for name, recipe in plan.runs().items():
        found = store.find(name, recipe.plain(digest))
        if found is None:

            def tell(record: StepRecord, name: str = name) -> None:
                if on_step is not None:
                    on_step(name, record)

            found = run(recipe, dataset, tell)
            store.keep(name, recipe.plain(digest), found)
            if on_run is not None:
                on_run(name, found)
        results[name] = found
    return evaluate(Results(plan=plan, runs=results))


class Job:
    """The experiment with its folder (`fxsim.reproduce.papers.Job`); counts steps too."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self._plan, self._folder = plan, folder
        left = missing(plan, folder)
        self.amount = {"runs": len(left), "steps": sum(left.values())}

    def perform(self, tell: Tell) -> Outcome:
        """Do what is left, and evaluate all."""

        def step(name: str, record: StepRecord) -> None:
            tell("steps", f"{name}: step {record.step}, loss {record.loss:.3f}")

        def finished(name: str, result: dict[str, Any]) -> None:
            tell("runs", f"{name}: {result['validation'][-1][1]:.3f} bits per character")

        return reproduce(self._plan, self._folder, step, finished)


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
