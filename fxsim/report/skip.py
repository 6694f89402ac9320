"""Tables and the figure of a zero-skipping study."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from fxsim.explorer.skip.study import SkipRow
from fxsim.files import write_text
from fxsim.folders import filling

FILES = ("skip.csv", "skip.md", "skip.png")
PUBLISHED = (
    ("Cnvlutin, mean of CNNs (+4.5 % area)", 1.37, "dimgrey"),
    ("TensorDash, training", 1.95, "darkgrey"),
)
"""Mean speed-ups of Albericio et al. 2016 and Mahmoud et al. 2020, on their networks and zeros."""

_MOST = 90
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")


def write_study(rows: Sequence[SkipRow], folder: Path, title: str) -> list[Path]:
    """Write ``skip.csv``, ``skip.md`` and ``skip.png`` into ``folder``; return the paths."""
    table, text, image = FILES
    with filling(folder, "skip-study", files=FILES) as own:
        write_text(own / table, table_csv(rows))
        write_text(own / text, f"# Zero skipping: {title}\n\n{table_markdown(rows)}")
        figure = draw(rows, title)
        figure.savefig(own / image, format="png", dpi=110, metadata={"Software": None})
    return [folder / file for file in FILES]


def table_csv(rows: Sequence[SkipRow]) -> str:
    """Every point of every sweep."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*asdict(rows[0]), "speed_up", "over_ideal"])
    for row in rows:
        values = asdict(row) | {"speed_up": row.speed_up, "over_ideal": row.over_ideal}
        writer.writerow([f"{v:.6g}" if isinstance(v, float) else v for v in values.values()])
    return text.getvalue()


def table_markdown(rows: Sequence[SkipRow]) -> str:
    """The sweeps as Markdown tables, thinned out to what can be read."""
    heads: tuple[str, ...] = (
        "MACs",
        "rows x issue",
        "lanes",
        "depth",
        "mapping",
        "threshold",
        "zeros",
        "cycles",
    )
    heads += ("over ideal", "speed-up", "starved", "conflict")
    lines = []
    for sweep in dict.fromkeys(row.sweep for row in rows):
        lines += [f"## {sweep}", "", f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
        for row in rows:
            if row.sweep == sweep:
                cells: tuple[object, ...] = (
                    row.macs,
                    f"{row.rows} x {row.issue}",
                    row.lanes,
                    row.depth or "-",
                )
                cells += (row.mapping, row.threshold, f"{100 * row.sparsity:.1f} %", row.cycles)
                cells += (f"{row.over_ideal:.3f}", f"{row.speed_up:.2f}", row.starved, row.conflict)
                lines.append(f"| {' | '.join(map(str, cells))} |")
        lines.append("")
    return "\n".join(lines)


def draw(rows: Sequence[SkipRow], title: str) -> Figure:
    """Speed-up against sparsity, one panel for each number of MACs."""
    macs = sorted({row.macs for row in rows})
    figure = Figure(figsize=(5.6 * len(macs), 4.6), layout="constrained")
    figure.suptitle(f"Zero skipping on {title}")
    panels = figure.subplots(1, len(macs), sharey=True, squeeze=False)[0]
    for axes, total in zip(panels, macs, strict=True):
        _panel(axes, [row for row in rows if row.macs == total], total)
    panels[0].set_ylabel("speed-up over a dense array of the same MACs")
    return figure


def _panel(axes: Any, rows: Sequence[SkipRow], total: int) -> None:
    zeros = np.linspace(0, 0.985, 200)
    axes.plot(100 * zeros, 1 / (1 - zeros), color="black", linewidth=1, label="ideal, 1 / density")
    swept = [row for row in rows if row.sweep == "threshold"]
    lanes = swept[0].lanes
    limit = swept[0].dense / swept[0].beats
    if limit < _MOST:
        axes.axhline(
            limit, color="black", linewidth=0.8, linestyle=":", label=f"arrival, {lanes} lanes"
        )
    for k, fold in enumerate(dict.fromkeys((row.rows, row.issue) for row in swept)):
        chosen = [row for row in swept if (row.rows, row.issue) == fold]
        axes.plot(
            [100 * row.sparsity for row in chosen],
            [row.speed_up for row in chosen],
            color=_COLOURS[k % len(_COLOURS)],
            marker="osD^"[k % 4],
            markersize=4,
            label=f"{fold[0]} rows x {fold[1]} pair{'s' * (fold[1] > 1)}",
        )
    for issue, style in ((4, (0, (4, 2))), (16, (0, (1, 1)))):
        bound = [row for row in rows if row.mapping == "lanes" and row.issue == issue]
        if bound:
            axes.plot(
                [100 * row.sparsity for row in bound],
                [row.speed_up for row in bound],
                color="firebrick",
                linewidth=1.2,
                linestyle=style,
                label=f"bound of {issue} lanes tied to columns",
            )
    for name, speed_up, colour in PUBLISHED:
        axes.axhline(
            speed_up, color=colour, linewidth=1, linestyle="-.", label=f"{name}: {speed_up}x"
        )
    axes.set_yscale("log")
    ticks = [1, 2, 5, 10, 20, 50]
    axes.set_yticks(ticks, [f"{tick}x" for tick in ticks])
    axes.minorticks_off()
    least = min(100 * row.sparsity for row in swept)
    axes.set_xlim(max(least - 8, 0), 100)
    axes.set_ylim(1, _MOST)
    axes.grid(color="gainsboro", linewidth=0.6)
    axes.set_xlabel("zeros in the gate gradients, %")
    axes.set_title(f"{total} MACs")
    axes.legend(fontsize=8, loc="upper left")
