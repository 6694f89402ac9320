"""``fxsim codesign``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fxsim.cli.devices import print_area
from fxsim.cli.options import (
    TARGETS_METAVAR,
    JsonOption,
    NetworkArgument,
    SeedOption,
    Simulator,
    SimulatorOption,
    VectorsOption,
    check_target,
)
from fxsim.cli.output import Steps, percent, print_json, print_line, print_table
from fxsim.cli.pipeline import IMAGE_LUTS, REPORT, run
from fxsim.cli.runs import check_runs
from fxsim.cli.verify import print_runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fxsim.explorer.sweep import SweepRow
    from fxsim.report.results import Results
    from fxsim.testbenches.verify import NetworkRun


def codesign(
    network: NetworkArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of all results.")],
    simulators: SimulatorOption = list(Simulator),  # noqa: B006  Typer copies it
    vectors: VectorsOption = None,
    targets: Annotated[
        list[str] | None,
        typer.Option(
            "--target",
            metavar=TARGETS_METAVAR,
            parser=check_target,
            help="FPGA family; repeat for more. Default: all; images: those with parts"
            f" of {IMAGE_LUTS:,} LUTs.",
        ),
    ] = None,
    seed: SeedOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Evaluate, explore, generate, verify, synthesize, report."""
    steps = Steps()
    results, runs = run(
        network,
        output,
        simulators=simulators,
        vectors=vectors,
        targets=targets,
        seed=seed,
        steps=steps,
    )
    if as_json:
        print_json(results.to_json())
    else:
        _print(results, runs, steps)
        if not any(seen.unwritten for seen in runs):
            print_line(f"Report: {output / REPORT}")
    check_runs(runs)


def _print(results: Results, runs: Sequence[NetworkRun], steps: Steps) -> None:
    seen = results.accuracy
    shares = {"float": seen.parent, "quantized directly": seen.direct, "fixed point": seen.fixed}
    known = {name: percent(share) for name, share in shares.items() if share is not None}
    print_table(f"Accuracy on {seen.samples} test samples", list(known), [list(known.values())])
    if results.sweep:
        _print_sweep(results.sweep)
    print_runs(runs)
    print_area("Area", {area.target: area for area in results.areas})
    print_table("Time", ["step", "seconds"], [[k, f"{v:.1f}"] for k, v in steps.seconds.items()])
    print_line(results.verdict.text)


def _print_sweep(rows: Sequence[SweepRow]) -> None:
    from fxsim.report.figures import weights_label

    widths = sorted({row.activation_bits for row in rows})
    lines: dict[str, dict[int, str]] = {}
    for row in rows:
        line = lines.setdefault(weights_label(row.levels, row.retrained), {})
        line[row.activation_bits] = f"{100 * row.accuracy:.2f}"
    print_table(
        "Accuracy in % over weights and activation word length",
        ["weights", *(f"{bits} bits" for bits in widths)],
        [[label, *(line.get(bits, "-") for bits in widths)] for label, line in lines.items()],
    )
