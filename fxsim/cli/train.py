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
    """Train and retrain a network; needs PyTorch, the train extra.

    An interrupted run keeps its state beside the output; the same command goes on from there.
    """
    from fxsim import data
    from fxsim.checkpoint import save_checkpoint
    from fxsim.spec import load_spec
    from fxsim.train import Progress, stages, train

    path = find_spec(spec)
    wanted = load_spec(path)
    counts = {stage.name: stage.recipe.epochs for stage in stages(wanted)}
    last: dict[str, Progress] = {}
    with blamed_on(path), counting(counts) as advance:

        def show(progress: Progress) -> None:
            last[progress.stage] = progress
            remark = f"loss {progress.loss:.4f}, accuracy {percent(progress.accuracy)}"
            if progress.validation_accuracy is not None:
                remark += f", validation {percent(progress.validation_accuracy)}"
            advance(progress.stage, remark, done=progress.epoch)

        state = output.with_name(f"{output.name}.resume")
        dataset = data.load(wanted.data, wanted.input.shape)
        checkpoint = train(wanted, dataset, show, resume=state)
    save_checkpoint(checkpoint, output)
    state.unlink(missing_ok=True)
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
