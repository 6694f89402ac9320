"""``fxsim explore``."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fxsim.cli.front import print_front
from fxsim.cli.live import LiveFront
from fxsim.cli.lookup import CHECKPOINT, blamed_on, find_spec
from fxsim.cli.options import JsonOption, SeedOption, SpecArgument
from fxsim.cli.output import Steps, print_json, print_line
from fxsim.cli.paths import STORE, check_data, check_outputs
from fxsim.errors import MismatchError, SpecError
from fxsim.targets.registry import PLACED

SPACE = "explore.yaml"
GRADUAL = (63, 15, 7)
"""Levels on the way down, where the specification has none."""

if TYPE_CHECKING:
    from collections.abc import Callable

    from fxsim.cost.synth_cache import SynthCache
    from fxsim.data import Dataset
    from fxsim.explorer.job import Job
    from fxsim.explorer.run import Settings, StartWorkers
    from fxsim.explorer.space import Space
    from fxsim.spec.specification import NetworkSpec, RetrainSpec


class Scheme(StrEnum):
    """Schemes of retraining; gradual goes down through numbers of levels."""

    FIXED = "fixed"
    ADAPTIVE = "adaptive"
    FIRST = "first"
    GRADUAL = "gradual"


def explore(
    spec: SpecArgument,
    space: Annotated[
        Path | None,
        typer.Option(
            "--space",
            help="Search space; default: explore in the specification, or explore.yaml beside it.",
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", help="Float parameters; default: beside the specification."),
    ] = None,
    method: Annotated[
        str, typer.Option("--method", help="grid, sung-kum, greedy, fisher, milp, nsga2 or tpe.")
    ] = "grid",
    budget: Annotated[
        int | None, typer.Option("--budget", min=1, help="Evaluations at most.")
    ] = None,
    seed: SeedOption = 1,
    retrained: Annotated[
        bool, typer.Option("--retrained", help="Retrained weights at points of their levels.")
    ] = False,
    store: Annotated[
        Path | None,
        typer.Option("--store", help="File of results; default: build/explore/<name>.sqlite."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the store.")] = False,
    processes: Annotated[
        int, typer.Option("--processes", "-j", min=1, max=1024, help="Processes on this machine.")
    ] = 1,
    cluster: Annotated[
        str | None,
        typer.Option("--cluster", metavar="ADDRESS", help="Dask scheduler, or local."),
    ] = None,
    verify_front: Annotated[
        bool, typer.Option("--verify-front", help="Regression of each point of the front.")
    ] = False,
    retrain_front: Annotated[
        bool,
        typer.Option("--retrain-front", help="Retrain each point of the front; needs PyTorch."),
    ] = False,
    scheme: Annotated[
        Scheme | None,
        typer.Option("--scheme", help="How --retrain-front retrains; default: as specified."),
    ] = None,
    clock: Annotated[
        bool, typer.Option("--clock", help=f"Clock of each point by nextpnr ({', '.join(PLACED)}).")
    ] = False,
    pick: Annotated[
        int | None, typer.Option("--pick", metavar="N", help="Write the specification of point N.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="SPEC", help="File for --pick.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="HTML", help="Page to write.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Search word lengths for accuracy against cost."""
    if (pick is None) != (output is None):
        raise typer.BadParameter("give --pick and --output together")
    if scheme is not None and not retrain_front:
        raise typer.BadParameter("give --scheme with --retrain-front")
    from fxsim.explorer.finish import clock_front, test_front, weigh_variables
    from fxsim.explorer.finish import retrain_front as retrain_front_
    from fxsim.explorer.front import front_rows
    from fxsim.explorer.run import Settings, check_method, facts_of, search_space
    from fxsim.explorer.space import load_space
    from fxsim.explorer.store import open_store
    from fxsim.spec import load_spec

    path = find_spec(spec)
    network, beside = load_spec(path), path.with_name(SPACE)
    if space is None and network.explore is None and beside.exists():
        space = beside
    wanted = load_space(network, str(path), space)
    target = store or Path("build/explore") / f"{wanted.spec.name}.sqlite"
    outputs = {STORE: target, "--output": output, "--report": report}
    check_outputs(
        outputs,
        {
            "SPEC": path,
            "--space": space,
            "--checkpoint": checkpoint or path.with_name(CHECKPOINT),
        },
    )
    check_data(outputs | {STORE: store}, network.data)
    if pick is not None and output is not None:
        write_point(wanted, pick, output)
        return
    recipe = recipe_of(network, scheme, path) if retrain_front else None
    if clock:
        from fxsim.cli.synthesis import check_clock

        check_clock(wanted.wanted.target)
    steps = Steps()
    job, dataset = _job(wanted, path, checkpoint, direct=not retrained)
    settings = Settings(method=method, seed=seed, budget=budget)
    check_method(method)  # before anything takes time
    facts = facts_of(
        job,
        settings,
        _command(spec, space, checkpoint, settings, retrained),
        _rebuild(spec, space, checkpoint or path.with_name(CHECKPOINT), retrained),
    )
    synthesis = None
    if wanted.synthesis:
        from fxsim.cli.synthesis import synthesis as make_synthesis

        synthesis = make_synthesis(wanted.wanted.target)
        with steps.step("synthesise samples") as show:
            job, errors = with_costs(job, synthesis, seed, processes, show)
        facts["cost_errors"] = errors
    with open_store(target, facts, resume=resume) as opened:
        with LiveFront(job, opened, settings) as live:
            search_space(
                job, opened, settings, workers=_workers(cluster, processes), on_outcome=live.show
            )
        if synthesis is not None:
            from fxsim.explorer.costs import measure_front

            with steps.step("synthesise the front") as show:
                measure_front(
                    job,
                    opened,
                    synthesis,
                    parallel=processes,
                    show=lambda done, total: show(f"{done} of {total}"),
                )
        with steps.step("test the front") as show:
            test_front(job, opened, dataset.test, show)
            weigh_variables(job, opened)
        if recipe is not None:
            with steps.step("retrain the front") as show:
                folder = target.with_suffix("") / "retrained"
                retrain_front_(job, opened, dataset, recipe, folder, show)
        if clock:
            from fxsim.cli.synthesis import clock_of

            with steps.step("place and route the front") as show:
                clock_front(job, opened, clock_of(wanted.wanted.target), show)
        if verify_front:
            from fxsim.cli.synthesis import verify_points

            with steps.step("verify the front") as show:
                verify_points(job, opened, target.with_suffix("") / "verify", seed, show)
        rows, count = front_rows(opened), len(opened.outcomes())
        if report is not None:
            from fxsim.report.exploration import write_exploration

            write_exploration(opened, report, str(target))
    if as_json:
        found = {"name": wanted.spec.name, "store": str(target), "evaluated": count, "front": rows}
        print_json(found)
    else:
        print_front(f"Front of {wanted.spec.name}", rows)
        print_line(f"{count} of {wanted.size} points evaluated by {method}; {target}")
    if any("verified" in row and not row["verified"]["exact"] for row in rows):
        raise MismatchError("a point of the front is not bit-exact; see the table")


def recipe_of(spec: NetworkSpec, scheme: Scheme | None, path: Path) -> RetrainSpec:
    """Recipe of a specification, with another scheme where one is given.

    Raises
    ------
    SpecError
        If the specification has none.
    """
    if spec.retrain is None:
        raise SpecError(f"retrain is missing; --retrain-front needs its recipe ({path})")
    recipe = spec.retrain
    if scheme is None:
        return recipe
    gradual = (recipe.gradual or GRADUAL) if scheme is Scheme.GRADUAL else ()
    kept = recipe.scheme if scheme is Scheme.GRADUAL else scheme.value
    changes: dict[str, Any] = {"scheme": kept, "gradual": gradual}
    if kept == "fixed":
        changes["refreshes"] = None
    return recipe.model_copy(update=changes)


def write_point(space: Space, number: int, output: Path) -> None:
    """Write the specification of a point."""
    from fxsim.files import write_yaml

    chosen = space.apply(space.choices(number))
    write_yaml(output, chosen.model_dump(mode="json", exclude_none=True))
    print_line(f"{output}: point {number} of {space.spec.name}")


def with_costs(
    job: Job, synthesis: SynthCache, seed: int, parallel: int, show: Callable[[str], None]
) -> tuple[Job, dict[str, Any]]:
    """The job with a fitted cost model, and its cross-validated errors."""
    from fxsim.explorer.costs import fit_costs
    from fxsim.explorer.job import with_costs

    model = fit_costs(
        job,
        synthesis,
        seed=seed,
        parallel=parallel,
        show=lambda done, total: show(f"{done} of {total}"),
    )
    return with_costs(job, model), model.cross_validate()


def _workers(cluster: str | None, processes: int) -> StartWorkers:
    if cluster is None:
        from fxsim.explorer.workers import local_workers

        return lambda job: local_workers(job, processes)
    from fxsim.explorer.cluster import cluster_workers

    return lambda job: cluster_workers(job, cluster, processes)


def _command(
    spec: str, space: Path | None, checkpoint: Path | None, settings: Settings, retrained: bool
) -> str:
    options = [f"--method={settings.method}", f"--seed={settings.seed}"]
    options += [f"--space={space}"] if space else []
    options += [f"--checkpoint={checkpoint}"] if checkpoint else []
    options += [f"--budget={settings.budget}"] if settings.budget else []
    options += ["--retrained"] if retrained else []
    return shlex.join(["fxsim", "explore", spec, *options])


def _rebuild(spec: str, space: Path | None, checkpoint: Path, retrained: bool) -> str:
    """Commands that take point ``{point}`` to its Verilog and report."""
    pick = ["fxsim", "explore", spec, *([f"--space={space}"] if space else [])]
    quantize = [f"--checkpoint={checkpoint}", *([] if retrained else ["--direct"])]
    name = "point{point}"
    return (
        f"{shlex.join(pick)} --pick={{point}} -o {name}.yaml"
        f" && fxsim quantize {name}.yaml {shlex.join(quantize)} -o {name}"
        f" && fxsim codesign {name}/ -o build/{name}"
    )


def _job(space: Space, path: Path, checkpoint: Path | None, *, direct: bool) -> tuple[Job, Dataset]:
    from fxsim import data
    from fxsim.explorer.job import make_job
    from fxsim.floats.checkpoint import load_checkpoint

    parameters = load_checkpoint(checkpoint or path.with_name(CHECKPOINT), space.spec)
    with blamed_on(path):
        dataset = data.load(space.spec.data, space.spec.input.shape)
        return make_job(space, parameters, dataset, direct=direct), dataset
