"""Tables and figures of Tu et al. 2016."""

from __future__ import annotations

from typing import Any

import numpy as np

from fxsim.report.lines import Panel, Series, line_figure
from fxsim.reproduce.classifier import integers_table
from fxsim.reproduce.experiment import Plot, Table, spread
from fxsim.reproduce.tu2016.run import CLUSTERS, METHODS, PRUNED, SHARES, UNIFORM
from fxsim.reproduce.tu2016.trends import pruning, words


def tables(title: str, runs: list[dict[str, Any]]) -> list[Table]:
    """All tables of one kind of network."""

    def cell(method: str, i: int) -> str:
        hits = spread([run["pruning"][method][i][0] for run in runs])
        return f"{hits} / {np.mean([run['pruning'][method][i][1] for run in runs]):.3f}"

    name, found = _name(title), []
    for method in runs[0]["words"]:
        for i in range(len(runs[0]["words"][method])):
            rows = [run["words"][method][i] for run in runs]
            bits, _, loss, paper, ratio = np.mean(rows, axis=0).tolist()
            hits = spread([row[1] for row in rows])
            label = UNIFORM[i] if method.startswith("uniform") else CLUSTERS[i]
            found.append([method, label, f"{bits:.2f}", hits, loss, paper, ratio])
    return [
        Table(
            name=f"{name}-float",
            title=f"{title}: " + "Before and after pruning by magnitude",
            columns=["parameters", "accuracy, %", "loss"],
            rows=[
                ["all", spread([r["float"][0] for r in runs]), runs[0]["float"][1]],
                [
                    f"{100 - 100 * PRUNED:.2f} % left",
                    spread([r["pruned"][0] for r in runs]),
                    runs[0]["pruned"][1],
                ],
            ],
            note="The paper: 99.29 and 98.67 %.",
        ),
        Table(
            name=f"{name}-pruning",
            title=f"{title}: " + "Pruning: accuracy in percent / loss",
            columns=["removed", *METHODS],
            rows=[
                [f"{100 * share:g} %", *[cell(method, i) for method in METHODS]]
                for i, share in enumerate(SHARES)
            ],
        ),
        Table(
            name=f"{name}-words",
            title=f"{title}: " + f"Word lengths of what is left of {100 * PRUNED:g} % pruning",
            columns=["by", "k or bits", "average bits", "accuracy, %", "loss", "ratio", "all in"],
            rows=found,
            note=(
                "The compression ratio as the paper counts it, and with all that a decoder needs:"
                " positions, the group of each parameter, ranges."
            ),
        ),
        integers_table(
            f"{name}-integers",
            f"{title}, word lengths by Fisher information (k = 5)",
            ["seed"],
            [([i + 1], run["integers"]) for i, run in enumerate(runs)],
        ),
    ]


def plots(title: str, runs: list[dict[str, Any]]) -> list[Plot]:
    """Figures of one kind of network."""
    name = _name(title)
    x = [100 * share for share in SHARES]
    shares = [
        Panel(
            title=what,
            x="removed, %",
            y=what,
            series=[
                Series(label=method, x=x, y=pruning(runs, method, column))
                for method in METHODS
                if method != "fisher"
            ],
        )
        for column, what in enumerate(("accuracy, %", "loss"))
    ]
    lengths = [
        Panel(
            title=what,
            x="average bits",
            y=what,
            series=[
                Series(label=method, x=[p[0] for p in points], y=[p[column] for p in points])
                for method in ("uniform", "fisher", "mag")
                for points in [sorted(words(runs, method))]
            ],
        )
        for column, what in ((1, "accuracy, %"), (2, "loss"))
    ]
    return [
        Plot(name=f"{name}-pruning", title=f"{title}: pruning", svg=line_figure(shares, 4.4)),
        Plot(
            name=f"{name}-words",
            title=f"{title}: word lengths after pruning",
            svg=line_figure(lengths, 4.4),
        ),
    ]


def _name(title: str) -> str:
    return title.lower().replace(" ", "-")
