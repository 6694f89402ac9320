"""``fxsim train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fxsim.cli.lookup import blamed_on, find_spec
from fxsim.cli.options import JsonOption, SpecArgument
from fxsim.cli.output import counting, percent, print_json, print_line


def train(
    spec: SpecArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="Checkpoint (npz) to write.")],
    as_json: JsonOption = False,
) -> None:
    """Train and retrain a network; needs PyTorch, the train extra."""
    from fxsim import data
    from fxsim.checkpoint import save_checkpoint
    from fxsim.spec import load_spec
    from fxsim.train import Progress, train

    path = find_spec(spec)
    wanted = load_spec(path)
    stages = {"float": wanted.train.epochs}
    if wanted.retrain is not None:
        stages["retrain"] = wanted.retrain.epochs
    last: dict[str, Progress] = {}
    with blamed_on(path), counting(stages) as advance:

        def show(progress: Progress) -> None:
            last[progress.stage] = progress
            remark = f"loss {progress.loss:.4f}, accuracy {percent(progress.accuracy)}"
            advance(progress.stage, remark)

        checkpoint = train(wanted, data.load(wanted.data, wanted.input.shape), show)
    save_checkpoint(checkpoint, output)
    results = {
        stage: {"epochs": seen.epochs, "loss": seen.loss, "accuracy": seen.accuracy}
        for stage, seen in last.items()
    }
    if as_json:
        print_json({"name": wanted.name, "checkpoint": str(output), "training": results})
        return
    for stage, seen in last.items():
        print_line(f"{stage}: loss {seen.loss:.4f}, training accuracy {percent(seen.accuracy)}")
    print_line(str(output))
