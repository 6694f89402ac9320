"""Tables and figures of Sung et al. 2015, of each kind of network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fxsim.report.lines import Panel, Series, line_figure
from fxsim.reproduce.classifier import integers_table
from fxsim.reproduce.experiment import Plot, Table, spread
from fxsim.reproduce.sung2015.family import Family, Run, excess, gap, mean
from fxsim.reproduce.sung2015.run import BITS

Paper = Mapping[int, tuple[float, ...]]

PAPER: dict[str, Paper] = {
    "frames": {
        1: (34.67, 3.91, 1.90),
        2: (31.51, 2.38, 1.53),
        3: (30.81, 2.24, 0.91),
        4: (30.31, 1.55, 1.18),
    },
    "images": {1: (34.19, 1.18, -0.04), 2: (29.29, 0.22, 0.03), 3: (26.87, 1.07, 0.08)},
}
"""Tables 1 and 2 by depth: float error, gaps after retraining with 3 and with 7 levels."""

_COLUMNS = (
    ["float", "float + epochs"]
    + [f"direct {bits} b" for bits in BITS]
    + [f"{what} {bits} b" for what in ("retrained", "gap", "to parent") for bits in BITS[:2]]
)


def _cells(runs: Sequence[Run]) -> list[str]:
    columns = [[run["float"] for run in runs], [run["further"] for run in runs]]
    columns += [[run["direct"][str(bits)] for run in runs] for bits in BITS]
    columns += [[run["retrained"][str(bits)] for run in runs] for bits in BITS[:2]]
    columns += [[gap(run, bits) for run in runs] for bits in BITS[:2]]
    columns += [[gap(run, bits, "float") for run in runs] for bits in BITS[:2]]
    return [spread(values) for values in columns]


def tables(family: Family) -> list[Table]:
    """All tables of a kind of network."""
    kind, title, paper = family.kind, family.title, PAPER[family.kind]
    return [
        Table(
            name=f"{kind}-width",
            title=f"{title}: width",
            columns=[family.of_width, "seeds", *_COLUMNS],
            rows=[[label, len(runs), *_cells(runs)] for label, runs in family.widths.items()],
            note="Errors in percent; mean ± standard deviation where there are more seeds.",
        ),
        Table(
            name=f"{kind}-depth",
            title=f"{title}: depth",
            columns=[
                family.of_depth,
                family.of_width,
                *_COLUMNS,
                "paper: float",
                "gap 2 b",
                "gap 3 b",
            ],
            rows=[
                [depth, label, *_cells(runs), *paper.get(depth, ("", "", ""))]
                for (depth, label), runs in family.depths.items()
            ],
        ),
        Table(
            name=f"{kind}-groups",
            title=f"{title}: one group of weights quantized to 3 levels",
            columns=[family.of_width, *family.groups],
            rows=[
                [label, *[f"{mean(runs, excess, group):.2f}" for group in family.groups]]
                for label, runs in family.widths.items()
            ],
            note="Points above the float network, directly quantized.",
        ),
        Table(
            name=f"{kind}-noise",
            title=f"{title}: signal-to-quantization-noise ratio of the groups of weights",
            columns=[family.of_width, "bits", *family.groups],
            rows=[
                [label, bits]
                + [f"{mean(runs, _noise, group, bits):.1f}" for group in family.groups]
                for label, runs in family.widths.items()
                for bits in BITS
            ],
            note="Decibels, direct quantization with L2-optimal steps, a step for each group.",
        ),
        integers_table(
            f"{kind}-integers",
            title,
            ["network", "seed", "bits"],
            [
                ([label, seed, bits], run[f"integers_{bits}"])
                for label, seed, run in family.every
                for bits in BITS[:2]
            ],
        ),
    ]


def _noise(run: Run, group: str, bits: int) -> float:
    return float(run["noise"][str(bits)][group])


def plots(family: Family) -> list[Plot]:
    """Figures of a kind of network."""

    def line(label: str, key: str, bits: int | None = None) -> Series:
        def value(run: Run) -> float:
            return float(run[key] if bits is None else run[key][str(bits)])

        return Series(label=label, x=family.places, y=family.over_width(value))

    errors = [line("float", "float"), line("float + epochs", "further")]
    errors += [line(f"direct {bits} b", "direct", bits) for bits in BITS[:2]]
    errors += [line(f"retrained {bits} b", "retrained", bits) for bits in BITS[:2]]
    groups = [
        Series(label=group, x=family.places, y=family.over_width(excess, group))
        for group in family.groups
    ]
    widest = list(family.widths.values())[-1]
    noise = [
        Series(label=group, x=list(BITS), y=[mean(widest, _noise, group, bits) for bits in BITS])
        for group in family.groups
    ]
    x = "units" if family.kind == "frames" else "maps of the last convolution"
    return [
        Plot(
            name=f"{family.kind}-width",
            title=f"{family.title}: error over width, and of one group alone",
            svg=line_figure(
                [
                    Panel(title="all layers", x=x, y="error, %", series=errors, log_x=True),
                    Panel(
                        title="one group with 3 levels",
                        x=x,
                        y="points above float",
                        series=groups,
                        log_x=True,
                    ),
                ],
                4.4,
            ),
        ),
        Plot(
            name=f"{family.kind}-depth",
            title=f"{family.title}: gap to the float network over depth,"
            " and noise of weights over bits",
            svg=line_figure(
                [
                    Panel(
                        title="gap",
                        x=family.of_depth,
                        y="points",
                        series=[
                            Series(
                                label=f"retrained {bits} b",
                                x=[depth for depth, _ in family.depths],
                                y=[mean(runs, gap, bits) for runs in family.depths.values()],
                            )
                            for bits in BITS[:2]
                        ],
                    ),
                    Panel(title="signal to noise", x="bits", y="decibels", series=noise),
                ],
            ),
        ),
    ]
