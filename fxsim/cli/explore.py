"""``fxsim explore``.

Typer reads the options of a command from the signature of its function, so all of them stand there;
the function hands them on as the records of `fxsim.cli.exploration`, one for each idea.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fxsim.cli.front import print_front
from fxsim.cli.lookup import find_spec
from fxsim.cli.options import JsonOption, SeedOption, SpecArgument
from fxsim.cli.output import print_json, print_line
from fxsim.cli.paths import STORE, check_data, check_outputs
from fxsim.errors import MismatchError, SpecError
from fxsim.targets.registry import PLACED

SPACE = "explore.yaml"
GRADUAL = (63, 15, 7)
"""Levels on the way down, where the specification has none."""

if TYPE_CHECKING:
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
            help="Search space; default: explore in the specification, or explore.yaml next to it.",
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", help="Float parameters; default: next to the specification."),
    ] = None,
    method: Annotated[
        str, typer.Option("--method", help="grid, sung-kum, greedy, fisher, milp, nsga2 or tpe.")
    ] = "grid",
    budget: Annotated[
        int | None, typer.Option("--budget", min=1, help="Maximum number of evaluations.")
    ] = None,
    seed: SeedOption = 1,
    retrained: Annotated[
        bool,
        typer.Option(
            "--retrained",
            help="Use retrained weights at points whose levels they were trained for.",
        ),
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
    from fxsim.cli import exploration
    from fxsim.explorer.run import Settings, check_budget, check_method
    from fxsim.explorer.space import load_space
    from fxsim.spec import load_spec

    path = find_spec(spec)
    network, default = load_spec(path), path.with_name(SPACE)
    if space is None and network.explore is None and default.exists():
        space = default
    given = exploration.Given(
        text=spec, path=path, space=space, checkpoint=checkpoint, retrained=retrained
    )
    wanted = load_space(network, str(path), space)
    target = store or Path("build/explore") / f"{wanted.spec.name}.sqlite"
    outputs = {STORE: target, "--output": output, "--report": report}
    inputs = {"SPEC": path, "--space": space, "--checkpoint": given.parameters}
    check_outputs(outputs, inputs)
    check_data(outputs | {STORE: store}, network.data)
    if pick is not None and output is not None:
        write_point(wanted, pick, path, output)
        return
    work = exploration.FrontWork(
        recipe=recipe_of(network, scheme, path) if retrain_front else None,
        clock=clock,
        verify=verify_front,
        report=report,
    )
    work.check(wanted)
    check_method(method)
    settings = Settings(method=method, seed=seed, budget=budget)
    check_budget(wanted, settings)
    rows, count = exploration.run(
        given,
        wanted,
        settings,
        exploration.Resources(store=target, resume=resume, processes=processes, cluster=cluster),
        work,
    )
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


def write_point(space: Space, number: int, source: Path, output: Path) -> None:
    """Write the specification of a point: that at ``source`` with the values of the point."""
    from fxsim.spec import parse_spec
    from fxsim.spec.rewrite import rewrite

    chosen = space.apply(space.choices(number))
    old, new = (spec.model_dump(mode="json", exclude_none=True) for spec in (space.spec, chosen))

    def same(plain: Any) -> bool:
        found = parse_spec(plain, str(output))
        return bool(found.model_dump(mode="json", exclude_none=True) == new)

    rewrite(source, old, new, output, same)
    print_line(f"{output}: point {number} of {space.spec.name}")
