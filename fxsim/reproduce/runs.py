"""The runs of an experiment: what is not yet stored is done, some side by side."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from fxsim import data
from fxsim.data import Dataset
from fxsim.errors import SpecError
from fxsim.processes import each
from fxsim.reproduce.experiment import Outcome, Table
from fxsim.reproduce.store import Store

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    class Recipe(DataclassInstance, Protocol):
        """All that the result of a run depends on, besides the data: a frozen dataclass."""

        kind: ClassVar[str]
        """Kind of data: ``frames``, ``images`` or ``text``."""

        @property
        def name(self) -> str:
            """Name of the run in the store."""

        def run(self, dataset: Dataset) -> dict[str, Any]:
            """Do it; returns plain values."""


_VERSION = 3
"""Version of what runs do and yield: stored ones of another version are done again."""

Results = Mapping[str, dict[str, Any]]
"""Results of finished runs by their names."""

OnRun = Callable[[str], None]
"""Called with the name of a finished run."""


class Plan(Protocol):
    """Runs of a reproduction."""

    @property
    def recipes(self) -> Sequence[Recipe]:
        """In the order of the work."""


P = TypeVar("P", bound=Plan)


@dataclass(frozen=True, kw_only=True)
class Experiment(Generic[P]):
    """Reproduction of a paper.

    Parameters
    ----------
    sets : mapping of str to str
        Data set of each kind that its recipes have.
    quick, full : Plan
    evaluate : callable
        Makes the page from a plan, its results and the data sets by kind.
    """

    sets: Mapping[str, str]
    quick: P
    full: P
    evaluate: Callable[[P, Results, Mapping[str, Dataset]], Outcome]

    def perform(
        self,
        plan: P,
        folder: Path,
        wanted: Sequence[str] = (),
        on_run: OnRun | None = None,
        processes: int = 1,
    ) -> Outcome:
        """Do the runs that are not yet in ``folder``, and evaluate all.

        Parameters
        ----------
        plan : Plan
        folder : Path
            Keeps finished runs; those of the same recipe and data are taken from there.
        wanted : sequence of str
            Data sets that take the place of those of their kind.
        on_run : callable, optional
        processes : int
            That many runs at a time; training does not depend on it, nor do scores but for the
            last bits of sums.

        Raises
        ------
        ConfigError
            If a process dies.
        SpecError
            If a data set is unknown, or of a kind that the experiment has not.
        FxsimError
            If the data or stored runs cannot be read, or the loss of a run stops being finite.
        """
        chosen = dict(self.sets)
        for name in wanted:
            if (kind := kind_of(data.load(name))) not in chosen:
                known = " or ".join(chosen)
                raise SpecError(f"data must be {known}, not the {kind} of {name}")
            chosen[kind] = name
        names = {recipe.kind: chosen[recipe.kind] for recipe in plan.recipes}
        results = collect(plan.recipes, folder, names, on_run, processes)
        return self.evaluate(plan, results, {kind: _load(name) for kind, name in names.items()})


def kind_of(dataset: Dataset) -> str:
    """``text`` for sequences, else ``images`` or ``frames``."""
    if dataset.train.y.ndim == 2:
        return "text"
    return "images" if len(dataset.train.shape) == 3 else "frames"


def collect(
    recipes: Sequence[Recipe],
    folder: Path,
    names: Mapping[str, str],
    on_run: OnRun | None = None,
    processes: int = 1,
) -> dict[str, dict[str, Any]]:
    """Results by the name of the run, each with ``seconds`` and processor seconds (``cpu``).

    ``names`` are those of the data sets by kind; see `Experiment.perform`.
    """
    runs = [_Run(recipe, names[recipe.kind], Store(folder / "runs")) for recipe in recipes]
    found = {run: run.stored() for run in runs}
    done = [run for run, result in found.items() if result is not None]
    waiting = [run for run, result in found.items() if result is None]
    for run in done:
        if on_run is not None:
            on_run(run.recipe.name)
    for run, result in each(_Run.perform, waiting, processes):
        found[run] = result
        if on_run is not None:
            on_run(run.recipe.name)
    return {run.recipe.name: result for run, result in found.items() if result is not None}


@dataclass(frozen=True, eq=False)
class _Run:
    """A recipe with the name of its data, and where its result is kept."""

    recipe: Recipe
    data: str
    store: Store

    @property
    def plain(self) -> dict[str, Any]:
        return asdict(self.recipe) | {"data": self.data, "version": _VERSION}

    def stored(self) -> dict[str, Any] | None:
        return self.store.find(self.recipe.name, self.plain)

    def perform(self) -> dict[str, Any]:
        dataset = _load(self.data)
        start, cpu = time.perf_counter(), time.process_time()
        found = self.recipe.run(dataset)
        found["seconds"] = time.perf_counter() - start
        found["cpu"] = time.process_time() - cpu
        self.store.keep(self.recipe.name, self.plain, found)
        return found


def seconds(results: Results) -> Table:
    """Time that the runs took."""
    return Table(
        name="seconds",
        title="Time",
        columns=["run", "seconds", "processor seconds"],
        rows=[[name, run["seconds"], run["cpu"]] for name, run in results.items()],
    )


@functools.lru_cache(maxsize=2)
def _load(name: str) -> Dataset:
    return data.load(name)
