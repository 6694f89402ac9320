"""An exploration of ``fxsim explore``, step by step, from the space to the finished front."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fxsim import data
from fxsim.cli import synthesis
from fxsim.cli.live import LiveFront
from fxsim.cli.lookup import CHECKPOINT, blamed_on
from fxsim.cli.output import Steps
from fxsim.explorer import finish
from fxsim.explorer.front import front_rows
from fxsim.explorer.job import Job, make_job, with_costs
from fxsim.explorer.run import Settings, StartWorkers, facts_of, search_space
from fxsim.explorer.store import Store, open_store
from fxsim.floats.checkpoint import load_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from fxsim.cost.synth_cache import SynthCache
    from fxsim.data import Dataset
    from fxsim.explorer.space import Space
    from fxsim.spec.specification import RetrainSpec


@dataclass(frozen=True, kw_only=True)
class Given:
    """Files that an exploration starts from.

    Parameters
    ----------
    text, path : str, Path
        The specification as it was named, and its file.
    space, checkpoint : Path, optional
        Files that were named.
    retrained : bool
        If true, points whose levels were trained for use the retrained weights.
    """

    text: str
    path: Path
    space: Path | None
    checkpoint: Path | None
    retrained: bool

    @property
    def parameters(self) -> Path:
        """File of the float parameters."""
        return self.checkpoint or self.path.with_name(CHECKPOINT)

    def command(self, settings: Settings) -> str:
        """Command that explores so."""
        options = [f"--method={settings.method}", f"--seed={settings.seed}"]
        options += [f"--space={self.space}"] if self.space else []
        options += [f"--checkpoint={self.checkpoint}"] if self.checkpoint else []
        options += [f"--budget={settings.budget}"] if settings.budget else []
        options += ["--retrained"] if self.retrained else []
        return shlex.join(["fxsim", "explore", self.text, *options])

    def rebuild(self) -> str:
        """Commands that take point ``{point}`` to its Verilog and report."""
        space = [f"--space={self.space}"] if self.space else []
        pick = ["fxsim", "explore", self.text, *space]
        quantize = [f"--checkpoint={self.parameters}", *([] if self.retrained else ["--direct"])]
        name = "point{point}"
        return (
            f"{shlex.join(pick)} --pick={{point}} -o {name}.yaml"
            f" && fxsim quantize {name}.yaml {shlex.join(quantize)} -o {name}"
            f" && fxsim codesign {name}/ -o build/{name}"
        )


@dataclass(frozen=True, kw_only=True)
class Resources:
    """Store of results, and workers: processes of this machine or a Dask cluster."""

    store: Path
    resume: bool
    processes: int
    cluster: str | None

    def workers(self) -> StartWorkers:
        """Start the workers."""
        if self.cluster is None:
            from fxsim.explorer.workers import local_workers

            return lambda job: local_workers(job, self.processes)
        from fxsim.explorer.cluster import cluster_workers

        address = self.cluster
        return lambda job: cluster_workers(job, address, self.processes)

    def folder(self, name: str) -> Path:
        """Folder next to the store."""
        return self.store.with_suffix("") / name


@dataclass(frozen=True, kw_only=True)
class FrontWork:
    """Work on the points of the front.

    Parameters
    ----------
    recipe : RetrainSpec, optional
        Recipe that retrains them.
    clock, verify : bool
        Place and route, and regression, of each.
    report : Path, optional
        Page to write.
    """

    recipe: RetrainSpec | None
    clock: bool
    verify: bool
    report: Path | None

    def check(self, space: Space) -> None:
        """Check that the tools are there, before anything takes time."""
        if self.clock:
            synthesis.check_clock(space.wanted.target)


def run(
    given: Given, space: Space, settings: Settings, resources: Resources, work: FrontWork
) -> tuple[list[dict[str, Any]], int]:
    """Search the space and finish the front.

    Returns
    -------
    rows : list of dict
        Points of the front, see `fxsim.explorer.front.front_rows`.
    count : int
        Points that were evaluated.
    """
    steps = Steps()
    job, dataset = _job(given, space)
    facts = facts_of(job, settings, given.command(settings), given.rebuild())
    wanted = space.wanted
    cells = None
    if space.synthesis:
        cells = synthesis.synthesis(wanted.target, wanted.constraints.part)
    if cells is not None:
        with steps.step("synthesize samples") as show:
            job, errors = _fit(job, cells, settings.seed, resources.processes, show)
        facts["cost_errors"] = errors
    with open_store(resources.store, facts, resume=resources.resume) as opened:
        with LiveFront(job, opened, settings) as live:
            search_space(job, opened, settings, workers=resources.workers(), on_outcome=live.show)
        if cells is not None:
            _measure(job, opened, cells, resources.processes, steps)
        with steps.step("test the front") as show:
            finish.test_front(job, opened, dataset.test, show)
            finish.weigh_variables(job, opened)
        _finish(job, opened, dataset, settings, resources, work, steps)
        rows, count = front_rows(opened), len(opened.outcomes())
        if work.report is not None:
            from fxsim.report.exploration import write_exploration

            write_exploration(opened, work.report, str(resources.store))
    return rows, count


def _job(given: Given, space: Space) -> tuple[Job, Dataset]:
    parameters = load_checkpoint(given.parameters, space.spec)
    with blamed_on(given.path):
        dataset = data.load(space.spec.data, space.spec.input.shape)
        return make_job(space, parameters, dataset, direct=not given.retrained), dataset


def _fit(
    job: Job, cells: SynthCache, seed: int, parallel: int, show: Callable[[str], None]
) -> tuple[Job, dict[str, Any]]:
    """Give the job a fitted cost model; returns also its cross-validated errors."""
    from fxsim.explorer.costs import fit_costs

    model = fit_costs(job, cells, seed=seed, parallel=parallel, show=_of(show))
    return with_costs(job, model), model.cross_validate()


def _measure(job: Job, store: Store, cells: SynthCache, parallel: int, steps: Steps) -> None:
    """Synthesize every point of the front."""
    from fxsim.explorer.costs import measure_front

    with steps.step("synthesize the front") as show:
        measure_front(job, store, cells, parallel=parallel, show=_of(show))


def _of(show: Callable[[str], None]) -> Callable[[int, int], None]:
    return lambda done, total: show(f"{done} of {total}")


def _finish(
    job: Job,
    store: Store,
    dataset: Dataset,
    settings: Settings,
    resources: Resources,
    work: FrontWork,
    steps: Steps,
) -> None:
    """Retrain, place and route, and verify the points of the front, as wanted."""
    if work.recipe is not None:
        with steps.step("retrain the front") as show:
            folder = resources.folder("retrained")
            finish.retrain_front(job, store, dataset, work.recipe, folder, show)
    if work.clock:
        with steps.step("place and route the front") as show:
            clock = synthesis.clock_of(job.space.wanted.target)
            finish.clock_front(job, store, clock, show)
    if work.verify:
        with steps.step("verify the front") as show:
            folder = resources.folder("verify")
            synthesis.verify_points(job, store, folder, settings.seed, show)
