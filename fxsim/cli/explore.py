"""``fxsim explore``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fxsim.cli.front import print_front
from fxsim.cli.live import LiveFront
from fxsim.cli.lookup import CHECKPOINT, blamed_on, find_spec
from fxsim.cli.options import JsonOption, SeedOption, SpecArgument
from fxsim.cli.output import print_json, print_line

if TYPE_CHECKING:
    from fxsim.explore.job import Job
    from fxsim.explore.space import Space


def explore(
    spec: SpecArgument,
    space: Annotated[
        Path | None,
        typer.Option("--space", help="Search space; default: explore in the specification."),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", help="Float parameters; default: beside the specification."),
    ] = None,
    method: Annotated[str, typer.Option("--method", help="How to search.")] = "grid",
    budget: Annotated[
        int | None, typer.Option("--budget", min=1, help="Evaluations at most.")
    ] = None,
    seed: SeedOption = 1,
    store: Annotated[
        Path | None,
        typer.Option("--store", help="File of results; default: build/explore/<name>.sqlite."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the store.")] = False,
    processes: Annotated[
        int, typer.Option("--processes", "-j", min=1, max=1024, help="Processes on this machine.")
    ] = 1,
    pick: Annotated[
        int | None, typer.Option("--pick", metavar="N", help="Write the specification of point N.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="SPEC", help="File for --pick.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Search word lengths for accuracy against cost."""
    if (pick is None) != (output is None):
        raise typer.BadParameter("give --pick and --output together")
    from fxsim.explore.front import front_rows
    from fxsim.explore.run import Settings, facts_of, search_space
    from fxsim.explore.space import load_space
    from fxsim.explore.store import open_store
    from fxsim.explore.workers import local_workers
    from fxsim.spec import load_spec

    path = find_spec(spec)
    wanted = load_space(load_spec(path), str(path), space)
    if pick is not None and output is not None:
        _pick(wanted, pick, output)
        return
    job = _job(wanted, path, checkpoint)
    settings = Settings(method=method, seed=seed, budget=budget)
    target = store or Path("build/explore") / f"{wanted.spec.name}.sqlite"
    command = shlex.join(
        ["fxsim", "explore", spec, f"--method={method}", f"--seed={seed}"]
        + ([f"--space={space}"] if space else [])
        + ([f"--checkpoint={checkpoint}"] if checkpoint else [])
        + ([f"--budget={budget}"] if budget else [])
    )
    with open_store(target, facts_of(job, settings, command), resume=resume) as opened:
        with LiveFront(job, opened, settings) as live:
            search_space(
                job,
                opened,
                settings,
                workers=lambda job: local_workers(job, processes),
                on_outcome=live.show,
            )
        rows, count = front_rows(opened), len(opened.outcomes())
    if as_json:
        print_json(
            {"name": wanted.spec.name, "store": str(target), "evaluated": count, "front": rows}
        )
        return
    print_front(f"Front of {wanted.spec.name}", rows)
    print_line(f"{count} of {wanted.size} points evaluated by {method}; {target}")


def _job(space: Space, path: Path, checkpoint: Path | None) -> Job:
    from fxsim import data
    from fxsim.checkpoint import load_checkpoint
    from fxsim.explore.job import make_job

    parameters = load_checkpoint(checkpoint or path.with_name(CHECKPOINT), space.spec)
    with blamed_on(path):
        return make_job(space, parameters, data.load(space.spec.data))


def _pick(space: Space, number: int, output: Path) -> None:
    """Write the specification of a point."""
    from fxsim.files import write_yaml

    chosen = space.apply(space.choices(number))
    write_yaml(output, chosen.model_dump(mode="json", exclude_none=True))
    print_line(f"{output}: point {number} of {space.spec.name}")
