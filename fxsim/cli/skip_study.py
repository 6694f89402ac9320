"""``fxsim skip-study``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fxsim.cli.lookup import blamed_on, read_network
from fxsim.cli.options import JsonOption
from fxsim.cli.output import Steps, print_json, print_line, print_table

if TYPE_CHECKING:
    from fxsim.network import IntArray


def skip_study(
    source: Annotated[
        str,
        typer.Argument(
            metavar="NETWORK-OR-TRACE",
            help="Network, recorded trace (early, middle, late), or .npy/.npz of integers.",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write to.")],
    outputs: Annotated[
        int | None,
        typer.Option("--outputs", min=1, help="Outputs of the product; default: the cells."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Sweep what zero skipping gains on gate gradients, at model speed.

    Writes skip.png, skip.csv and skip.md: speed-up against sparsity over thresholds, foldings,
    lanes, queue depths and lane mappings.
    """
    from fxsim.explorer.skip.study import nearest, study
    from fxsim.folders import check_room
    from fxsim.report.skip import FILES, write_study

    check_room(output, FILES)
    with blamed_on(source), Steps().step("study") as show:
        show("gradients")
        gradients = _gradients(source)
        show("sweeps")
        cells = outputs or max(gradients.shape[1] // 4, 1)
        rows = list(study(gradients, outputs=cells))
        paths = write_study(rows, output, f"{Path(source).name!r}, {cells} outputs")
    if as_json:
        points = [
            asdict(row) | {"speed_up": row.speed_up, "over_ideal": row.over_ideal} for row in rows
        ]
        print_json({"source": source, "files": [str(path) for path in paths], "rows": points})
        return
    levels = {nearest(gradients, share) for share in (0.8, 0.95)}
    print_table(
        f"Zero skipping on {len(gradients):,} vectors of {source}",
        ["MACs", "rows x issue", "mapping", "zeros", "over ideal", "speed-up"],
        [
            [
                row.macs,
                f"{row.rows} x {row.issue}",
                row.mapping,
                f"{100 * row.sparsity:.1f} %",
                f"{row.over_ideal:.3f}",
                f"{row.speed_up:.2f}",
            ]
            for row in rows
            if row.sweep in ("threshold", "mapping") and row.threshold in levels
        ],
    )
    for path in paths:
        print_line(f"{path}")


def _gradients(source: str) -> IntArray:
    from fxsim.explorer.skip import gate_gradients
    from fxsim.simulator.gradient_traces import STAGES

    if source in STAGES:
        return gate_gradients.from_trace(source)
    if Path(source).suffix in {".npy", ".npz"}:
        return gate_gradients.from_file(Path(source))
    return gate_gradients.from_network(read_network(source))
