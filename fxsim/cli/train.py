"""``fxsim train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fxsim.cli.lookup import blamed_on, find_spec
from fxsim.cli.options import JsonOption, SpecArgument
from fxsim.cli.output import counting, percent, print_json, print_line
from fxsim.cli.paths import check_data, check_outputs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fxsim.training import StepRecord


def train(
    spec: SpecArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="Checkpoint (npz) to write.")],
    record: Annotated[
        Path | None,
        typer.Option(
            "--record", metavar="STEPS.csv", help="Zeros of gate gradients by step (sparsify)."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Train and retrain a network; needs PyTorch, the train extra.

    An interrupted run keeps its state next to the output; the same command goes on from there.
    """
    from fxsim import data
    from fxsim.errors import SpecError
    from fxsim.files import write_text
    from fxsim.floats.checkpoint import save_checkpoint
    from fxsim.folders import HIDDEN, held
    from fxsim.spec import load_spec
    from fxsim.training import Progress, stages, train

    path = find_spec(spec)
    state = output.with_name(f"{output.name}.resume")
    outputs = {"--output": output, "--record": record, "the state of --output": state}
    check_outputs(outputs, {"SPEC": path})
    wanted = load_spec(path)
    check_data(outputs, wanted.data)
    if record is not None and wanted.train.sparsify is None:
        raise SpecError(f"--record needs the key train.sparsify ({path})")
    counts = {stage.name: stage.recipe.epochs for stage in stages(wanted)}
    last: dict[str, Progress] = {}
    steps: list[StepRecord] = []

    def show(progress: Progress) -> None:
        last[progress.stage] = progress
        remark = f"loss {progress.loss:.4f}, accuracy {percent(progress.accuracy)}"
        if progress.validation_accuracy is not None:
            remark += f", validation {percent(progress.validation_accuracy)}"
        advance(progress.stage, remark, done=progress.epoch)

    with held(output.parent / HIDDEN / f"{output.name}.lock", output):
        with blamed_on(path), counting(counts) as advance:
            dataset = data.load(wanted.data, wanted.input.shape)
            checkpoint = train(
                wanted, dataset, show, lambda seen, network: steps.append(seen), resume=state
            )
        save_checkpoint(checkpoint, output)
        if record is not None:
            write_text(record, _table(steps))
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


def _table(records: Sequence[StepRecord]) -> str:
    """CSV: a line a step; the correlation is empty where it was not measured."""
    from fxsim.network.lstm import GATES

    layers = range(len(records[0].thresholds))
    columns = ["step", "loss", "correlation", *(f"threshold {k}" for k in layers)]
    columns += [f"zeros {k} {gate}" for k in layers for gate in GATES]
    lines = [",".join(columns)]
    for seen in records:
        likeness = "" if seen.correlation is None else seen.correlation
        values = [*seen.thresholds.tolist(), *seen.sparsity.ravel().tolist()]
        lines.append(",".join(map(str, (seen.step, seen.loss, likeness, *values))))
    return "\n".join(lines) + "\n"
