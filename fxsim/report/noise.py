"""Signal-to-quantization-noise ratios of a network as bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fxsim.report.figures import COLOURS, stand_alone

_HEIGHT = 0.4


def noise_figure(
    weights: Mapping[str, float | None],
    layers: Mapping[str, tuple[float | None, float | None]],
) -> str:
    """Groups of weights next to layers, as one SVG; None is left out.

    Parameters
    ----------
    weights : mapping of str to float
        Decibels of each group.
    layers : mapping of str to two floats
        Decibels with the noise of activations alone, and with that of weights too.
    """

    def draw(figure: Any) -> None:
        left, right = figure.subplots(1, 2)
        _bars(left, list(weights), {"weights": list(weights.values())})
        own, whole = zip(*layers.values(), strict=True)
        _bars(right, list(layers), {"activations only": own, "against float": whole})
        left.set_title("groups of weights", fontsize=11)
        right.set_title("outputs of layers", fontsize=11)
        handles, labels = right.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2)

    return stand_alone(draw, 2.0 + 0.32 * max(len(weights), len(layers)))


def _bars(axes: Any, names: list[str], series: Mapping[str, Sequence[float | None]]) -> None:
    for i, (label, values) in enumerate(series.items()):
        shift = (i - (len(series) - 1) / 2) * _HEIGHT
        axes.barh(
            [k + shift for k in range(len(names))],
            [0.0 if value is None else value for value in values],
            _HEIGHT,
            color=COLOURS[i],
            label=label,
        )
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel("decibels")
    axes.grid(axis="x")
