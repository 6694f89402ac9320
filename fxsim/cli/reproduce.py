"""``fxsim reproduce``: experiments of the papers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from fxsim.cli.options import JsonOption
from fxsim.cli.output import console, counting, print_json, print_line, print_table

if TYPE_CHECKING:
    from typing import Any

    from fxsim.reproduce.experiment import Outcome
    from fxsim.train import StepRecord

reproduce = typer.Typer(
    no_args_is_help=True, context_settings={"help_option_names": ["-h", "--help"]}
)

FolderOption: TypeAlias = Annotated[
    Path, typer.Option("--output", "-o", metavar="FOLDER", help="Results; finished runs are kept.")
]
FullOption: TypeAlias = Annotated[
    bool, typer.Option("--full/--quick", help="As large as the paper, or in minutes.")
]

DataOption = typer.Option("--data", help="Data set, as in a specification.")


@reproduce.callback()
def _reproduce() -> None:
    """Do the experiment of a paper again; finished runs are kept."""


@reproduce.command()
def zhu2017(output: FolderOption, full: FullOption = False, as_json: JsonOption = False) -> None:
    """Training LSTM with sparsified SGD: zeros in gate gradients at no loss.

    Needs PyTorch, the train extra. Quick: 8 minutes of one core. Full: about 3 hours.
    """
    from fxsim.reproduce import zhu2017 as experiment

    plan = experiment.FULL if full else experiment.QUICK
    left = experiment.missing(plan, output)
    done = len(plan.runs()) - len(left)
    if done:
        console(stderr=True).print(f"{done} of {len(plan.runs())} runs are in {output} already")
    with counting({"runs": len(left), "steps": sum(left.values())}) as advance:

        def step(name: str, record: StepRecord) -> None:
            advance("steps", f"{name}: step {record.step}, loss {record.loss:.3f}")

        def finished(name: str, result: dict[str, Any]) -> None:
            advance("runs", f"{name}: {result['validation'][-1][1]:.3f} bits per character")

        outcome = experiment.reproduce(plan, output, step, finished)
    _report(outcome, output, as_json)


@reproduce.command()
def sung2015(
    output: FolderOption,
    full: FullOption = False,
    data: Annotated[str, DataOption] = "phonemes",
    as_json: JsonOption = False,
) -> None:
    """Resiliency under quantization: direct and retrained, width, depth, groups of weights.

    Needs PyTorch, the train extra.
    """
    from fxsim.reproduce import sung2015 as experiment

    plan = experiment.FULL if full else experiment.QUICK
    with _runs(len(plan.recipes())) as finished:
        outcome = experiment.reproduce(plan, output, data, finished)
    _report(outcome, output, as_json)


@reproduce.command()
def shin2017(
    output: FolderOption,
    full: FullOption = False,
    data: Annotated[str, DataOption] = "phonemes",
    as_json: JsonOption = False,
) -> None:
    """Retraining with adaptive steps, and gradually; feed-forward networks and an LSTM.

    Needs PyTorch, the train extra.
    """
    from fxsim.reproduce import shin2017 as experiment

    plan = experiment.FULL if full else experiment.QUICK
    with _runs(len(plan.recipes())) as finished:
        outcome = experiment.reproduce(plan, output, data, finished)
    _report(outcome, output, as_json)


@reproduce.command()
def alvarez2016(
    output: FolderOption,
    full: FullOption = False,
    data: Annotated[str, DataOption] = "pydoc",
    as_json: JsonOption = False,
) -> None:
    """8-bit weights with a zero point: bias error, and LSTM trained with quantization.

    Needs PyTorch, the train extra.
    """
    from fxsim.reproduce import alvarez2016 as experiment

    plan = experiment.FULL if full else experiment.QUICK
    with _runs(len(plan)) as finished:
        outcome = experiment.reproduce(plan, output, data, finished)
    _report(outcome, output, as_json)


@reproduce.command()
def tu2016(
    output: FolderOption,
    full: FullOption = False,
    data: Annotated[str, DataOption] = "handwriting",
    as_json: JsonOption = False,
) -> None:
    """Pruning and word lengths by Fisher information.

    Needs PyTorch, the train extra.
    """
    from fxsim.reproduce import tu2016 as experiment

    plan = experiment.FULL if full else experiment.QUICK
    with _runs(len(plan)) as finished:
        outcome = experiment.reproduce(plan, output, data, finished)
    _report(outcome, output, as_json)


@contextmanager
def _runs(total: int) -> Iterator[Callable[[str], None]]:
    """A progress bar of runs."""
    with counting({"runs": total}) as advance:
        yield lambda name: advance("runs", name)


def _report(outcome: Outcome, folder: Path, as_json: bool) -> None:
    """Write what an experiment found, and print its verdicts."""
    page = outcome.write(folder)
    if as_json:
        verdicts = [
            {"claim": t.claim, "paper": t.paper, "here": t.here, "holds": t.holds}
            for t in outcome.trends
        ]
        print_json({"name": outcome.name, "page": str(page), "verdicts": verdicts})
        return
    print_table(outcome.title, outcome.verdicts.columns, outcome.verdicts.rows)
    print_line(str(page))
