"""Tables and figures of Shin et al. 2017."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fxsim.report.lines import Panel, Series, line_figure
from fxsim.reproduce.classifier import integers_table
from fxsim.reproduce.experiment import Plot, Table, spread
from fxsim.reproduce.shin2017.trends import BPC, SVHN, Rows, bits_of, differences, schemes_of

_GRADUAL = {
    "fixed-2": ("conventional", 31.43),
    "adaptive-2": ("adaptive", 30.61),
    "first-2": ("first", ""),
    "gradual-fixed": ("gradual", 30.69),
    "gradual-adaptive": ("gradual and adaptive", 30.62),
    "gradual-first": ("gradual and first", ""),
    "straight-fixed": ("conventional, epochs of gradual", ""),
    "straight-adaptive": ("adaptive, epochs of gradual", ""),
    "straight-first": ("first, epochs of gradual", ""),
}
"""Label and figure of table 2 of the paper (2 x 512 units, 2 bits) by key of a result."""


def tables(frames: Rows, images: Rows, text: Rows) -> list[Table]:
    """All tables."""
    percent = "Errors in percent, mean ± standard deviation of the seeds."
    return [
        _schemes("frames", "Feed-forward networks with two hidden layers", frames, percent),
        _paired("frames", frames),
        _gradual("frames", frames),
        _schemes("images", "Convolutional networks", images, percent + _PAPER, SVHN),
        _paired("images", images),
        _gradual("images", images),
        _schemes("text", "Character language models", text, "Bits per character." + _PAPER, BPC),
        *[
            integers_table(
                f"{kind}-integers",
                title,
                ["network", "seed"],
                [
                    ([label, i + 1], run["integers"])
                    for label, runs in rows.items()
                    for i, run in enumerate(runs)
                ],
                what,
            )
            for kind, title, rows, what in (
                ("frames", "Feed-forward networks", frames, "Errors in percent"),
                ("images", "Convolutional networks", images, "Errors in percent"),
                ("text", "Language models", text, "Bits per character"),
            )
        ],
    ]


_PAPER = " The paper's figures are for its network L, or 64 cells, and its own data."


def _schemes(
    name: str,
    title: str,
    rows: Rows,
    note: str,
    paper: Mapping[int, tuple[float, float, float]] | None = None,
) -> Table:
    digits = 3 if name == "text" else 2
    schemes = schemes_of(next(iter(rows.values()))[0])
    columns = ["network", "bits", "seeds", "float", "float + epochs", "direct"]
    cells: list[Callable[[Any, int], float]] = [
        lambda run, bits: run["float"],
        lambda run, bits: run["further"],
        lambda run, bits: run["direct"][str(bits)],
        *[lambda run, bits, s=s: run["retrained"][f"{s}-{bits}"] for s in schemes],
    ]
    return Table(
        name=name,
        title=title,
        columns=[*columns, *["conventional" if s == "fixed" else s for s in schemes]]
        + (["paper: direct", "conventional", "adaptive"] if paper else []),
        rows=[
            [label, bits, len(runs)]
            + [spread([cell(run, bits) for run in runs], digits=digits) for cell in cells]
            + (list(paper[bits]) if paper else [])
            for label, runs in rows.items()
            for bits in bits_of(runs[0])
        ],
        note=note,
    )


def _paired(name: str, rows: Rows) -> Table:
    schemes = schemes_of(next(iter(rows.values()))[0])[1:]
    return Table(
        name=f"{name}-paired",
        title="Against the conventional scheme, seed by seed",
        columns=["network", "bits", *schemes],
        rows=[
            [label, bits, *[spread(differences(runs, s, bits)) for s in schemes]]
            for label, runs in rows.items()
            for bits in bits_of(runs[0])
        ],
        note="Points; less than 0 is better than conventional.",
    )


def _gradual(name: str, rows: Rows) -> Table:
    found = []
    for label, all_runs in rows.items():
        runs = [run["retrained"] | run["gradual"] for run in all_runs if run["gradual"]]
        for key, (shown, paper) in _GRADUAL.items():
            if runs and key in runs[0]:
                values = spread([run[key] for run in runs])
                found.append([label, shown, values, paper if name == "frames" else ""])
    return Table(
        name=f"{name}-gradual",
        title="2 bits, straight and gradual",
        columns=["network", "retraining", "error, %", "paper, 2 x 512"],
        rows=found,
    )


def steps_plot(rows: Rows) -> Plot:
    """Figure 2."""
    panels = []
    for label, runs in rows.items():
        series = [
            Series(label=f"layer {i + 1}", x=list(range(1, len(values) + 1)), y=values)
            for i, values in enumerate(runs[0]["steps"].values())
        ]
        panels.append(Panel(title=label, x="epoch", y="step / first", series=series))
    return Plot(
        name="steps", title="Adaptive steps over retraining, 2 bits", svg=line_figure(panels)
    )
