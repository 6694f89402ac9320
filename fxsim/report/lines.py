"""Line figures and histograms of experiments, as SVG files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fxsim.report.figures import SERIES, stand_alone

_MARKERS = "osD^vP"
_FEW = 8
"""Whole numbers on an axis that are labelled one by one."""


@dataclass(frozen=True, kw_only=True)
class Series:
    """Points under a label, joined by a line unless ``loose``.

    With ``steps`` it is a histogram, and ``x`` are the borders, one more than there are ``y``.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    steps: bool = False
    loose: bool = False


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Axes with their labels and lines."""

    title: str
    x: str
    y: str
    series: Sequence[Series]
    log_x: bool = False
    markers: bool = True


def line_figure(panels: Sequence[Panel], height: float = 3.8) -> str:
    """Panels side by side as one SVG; panels with the same labels share one legend."""

    def draw(figure: Any) -> None:
        axes = figure.subplots(1, len(panels), squeeze=False)[0]
        for place, panel in zip(axes, panels, strict=True):
            _draw_panel(place, panel)
        legends = {tuple(series.label for series in panel.series) for panel in panels}
        if len(legends) == 1:
            handles, labels = axes[0].get_legend_handles_labels()
            figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 4))
        else:
            for place in axes:
                place.legend(fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=3)

    return stand_alone(draw, height)


def _draw_panel(axes: Any, panel: Panel) -> None:
    for i, series in enumerate(panel.series):
        colour = f"#f1c0f{i % SERIES}"
        if series.steps:
            axes.stairs(series.y, series.x, color=colour, label=series.label, linewidth=1.6)
            continue
        axes.plot(
            series.x,
            series.y,
            color=colour,
            label=series.label,
            linewidth=1.6,
            linestyle="none" if series.loose else "-" if i < SERIES else "--",
            marker=_MARKERS[i % SERIES] if panel.markers else None,
            markersize=5,
            markeredgewidth=0,
        )
    if panel.log_x:
        axes.set_xscale("log")
        places = sorted({x for series in panel.series for x in series.x})
        if len(places) <= _FEW and all(x >= 1 and x == int(x) for x in places):
            axes.set_xticks(places, [f"{x:g}" for x in places])
            axes.minorticks_off()
        axes.xaxis.set_major_formatter(lambda value, position: f"{value:g}")
        axes.xaxis.set_minor_formatter(lambda value, position: "")
    else:
        whole = sorted({x for series in panel.series if not series.steps for x in series.x})
        if len(whole) <= _FEW and all(x == int(x) for x in whole):
            axes.set_xticks(whole, [f"{x:g}" for x in whole])
    axes.set_title(panel.title, fontsize=11)
    axes.set_xlabel(panel.x)
    axes.set_ylabel(panel.y)
    axes.grid(axis="y")
