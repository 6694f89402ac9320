"""Figures of the reproduction of Zhu et al. 2017."""

from __future__ import annotations

import numpy as np

from fxsim.network.lstm import GATES
from fxsim.report.lines import Panel, Series, line_figure
from fxsim.reproduce.experiment import Plot
from fxsim.reproduce.zhu2017.plan import DENSE, tau_name
from fxsim.reproduce.zhu2017.results import Results, Run, loss, zeros

SHOWN = 1.1
"""Losses above this many times the dense one are left out of the trade-off."""


def figures(results: Results) -> list[Plot]:
    """All figures."""
    return [
        Plot(
            name="training",
            title="Validation loss and zeros over training",
            svg=line_figure(_training(results), 4.4),
        ),
        Plot(
            name="trade-off",
            title="Loss at the end over the share of zeros",
            svg=line_figure([_trade(results)], 4.4),
        ),
        Plot(
            name="one-step",
            title="Zeros and correlation of one step over the threshold",
            svg=line_figure(_one_step(results)),
        ),
        Plot(
            name="gates",
            title="Gate activations early and late in training",
            svg=line_figure(_gates(results)),
        ),
        Plot(
            name="dynamic",
            title="Static and steered thresholds over training",
            svg=line_figure(_dynamic(results), 4.2),
        ),
    ]


def _training(results: Results) -> list[Panel]:
    names = [tau_name(tau) for tau in (0.0, *results.plan.taus)]
    runs = {name: results.first(name) for name in names}
    loss = [
        Series(label=name, x=[s for s, _ in run["validation"]], y=[v for _, v in run["validation"]])
        for name, run in runs.items()
    ]
    return [
        Panel(title="validation", x="step", y="bits per character", series=loss),
        Panel(
            title="zeros of dnet",
            x="step",
            y="share",
            series=[_zeros(name, run) for name, run in runs.items()],
            markers=False,
        ),
    ]


def _zeros(name: str, run: Run) -> Series:
    curve = run["curve"]
    return Series(
        label=name, x=[s for s, _, _ in curve], y=[float(np.mean(v)) for _, v, _ in curve]
    )


def _trade(results: Results) -> Panel:
    groups = {"static": [tau_name(tau) for tau in (0.0, *results.plan.taus)]}
    for kind in ("steered", "words"):
        groups[kind] = [name for name in results.plan.other if name.startswith(kind)]
    series = []
    for label, names in groups.items():
        runs = (results.first(name) for name in names)
        points = sorted((zeros(r), loss(r)) for r in runs)
        points = [(x, y) for x, y in points if y <= SHOWN * loss(results.first(DENSE))]
        x, y = [x for x, _ in points], [y for _, y in points]
        series.append(Series(label=label, x=x, y=y, loose=label != "static"))
    return Panel(title="", x="zeros of dnet", y="bits per character", series=series)


def _one_step(results: Results) -> list[Panel]:
    stages = results.stages

    def lines(key: str) -> list[Series]:
        return [
            Series(
                label=f"{100 * stage['share']:g} % of training",
                x=[point["tau"] for point in stage["points"] if point["tau"]],
                y=[point[key] for point in stage["points"] if point["tau"]],
            )
            for stage in stages
        ]

    return [
        Panel(title="zeros of dnet", x="tau", y="share", series=lines("sparsity"), log_x=True),
        Panel(
            title="dW and dense dW0",
            x="tau",
            y="correlation",
            series=lines("correlation"),
            log_x=True,
        ),
    ]


def _gates(results: Results) -> list[Panel]:
    stages = results.stages
    panels = []
    for name in GATES:
        low = -1.0 if name == "g" else 0.0
        series = [
            Series(
                label=f"{100 * stage['share']:g} % of training",
                x=np.linspace(low, 1, len(stage["gates"][name]) + 1).tolist(),
                y=stage["gates"][name],
                steps=True,
            )
            for stage in (stages[0], stages[-1])
        ]
        label = "share" if name == GATES[0] else ""
        panels.append(Panel(title=name, x="value", y=label, series=series))
    return panels


def _dynamic(results: Results) -> list[Panel]:
    names = results.plan.steered
    runs = {name: results.first(name) for name in names}
    taus = [
        Series(
            label=name,
            x=[s for s, _, _ in run["curve"]],
            y=[float(np.mean(t)) for _, _, t in run["curve"]],
        )
        for name, run in runs.items()
    ]
    shares = [_zeros(name, run) for name, run in runs.items()]
    return [
        Panel(title="threshold", x="step", y="tau, mean of layers", series=taus, markers=False),
        Panel(title="zeros of dnet", x="step", y="share", series=shares, markers=False),
    ]
