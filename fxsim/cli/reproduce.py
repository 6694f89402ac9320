"""``fxsim reproduce``: experiments of the papers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fxsim.cli.options import JsonOption
from fxsim.cli.output import counting, print_json, print_line, print_table
from fxsim.cli.paths import check_data
from fxsim.reproduce.papers import ABOUT, Paper, job
from fxsim.threads import cores

if TYPE_CHECKING:
    from fxsim.errors import UnwrittenError
    from fxsim.reproduce.experiment import Outcome

_PAPERS = "; ".join(f"{paper}: {about}" for paper, about in ABOUT.items())


def reproduce(
    paper: Annotated[Paper, typer.Argument(metavar="PAPER", help=f"{_PAPERS}.")],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FOLDER", help="Results; finished runs are kept."),
    ],
    full: Annotated[
        bool, typer.Option("--full/--quick", help="As large as the paper, or in minutes.")
    ] = False,
    data: Annotated[
        list[str] | None,
        typer.Option(
            "--data",
            metavar="SET",
            help="Data set instead of the one of its kind (frames, images, text); repeat for more.",
        ),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(
            "--processes",
            "-j",
            min=1,
            max=1024,
            help="Runs at a time; default: one a core. With a GPU, 1 is best.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Do the experiments of a paper again, claim by claim.

    Needs PyTorch, the train extra.
    """
    from fxsim.folders import reserved

    for chosen in data or ():
        check_data({"--output": output}, chosen)
    work = job(paper, output, full=full, sets=data or (), processes=processes or cores())
    with reserved(output):
        with counting(work.amount) as advance:
            outcome = work.perform(advance)
        _report(outcome, output, as_json)


def _report(outcome: Outcome, folder: Path, as_json: bool) -> None:
    """Write what an experiment found, and print its verdicts."""
    from fxsim.folders import noting

    page = folder / outcome.page
    lost: list[UnwrittenError] = []
    with noting(lost):
        outcome.write(folder)
    _print(outcome, page, as_json)
    if lost:
        raise lost[0]


def _print(outcome: Outcome, page: Path, as_json: bool) -> None:
    if as_json:
        verdicts = [
            {"claim": t.claim, "paper": t.paper, "here": t.here, "holds": t.holds}
            for t in outcome.trends
        ]
        print_json({"name": outcome.name, "page": str(page), "verdicts": verdicts})
        return
    print_table(outcome.title, outcome.verdicts.columns, outcome.verdicts.rows)
    print_line(str(page))
