"""Figures as inline SVG that takes its colours and its typeface from the page.

Colours are drawn as placeholders and become CSS variables (``--ink``, ``--series-0``...), so that
one figure serves light and dark pages and paper. Text stays text.
"""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Callable, Sequence
from html import escape
from itertools import groupby
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from fxsim.explorer.sweep import SweepRow
from fxsim.names import printable
from fxsim.report.results import AddSummary, Area, LayerSummary, Values

SERIES = 6
INK, MUTED, LINE, PAPER = "#f1c0de", "#f1c0df", "#f1c0e0", "#f1c0e1"
COLOURS = [f"#f1c0f{i}" for i in range(SERIES)]
_VARIABLES = {INK: "ink", MUTED: "muted", LINE: "line", PAPER: "paper"} | {
    colour: f"series-{i}" for i, colour in enumerate(COLOURS)
}
_FIXED = {INK: "#1b1f24", MUTED: "#57606a", LINE: "#d0d7de", PAPER: "#ffffff"} | dict(
    zip(
        COLOURS,
        ("#2166ac", "#d6604d", "#1b9e77", "#a65fa8", "#b8860b", "#5f6b6d"),
        strict=True,
    )
)
_MARKERS = "osD^vP"
_WIDTH = 8.9
_STYLE = {
    "font.size": 11,
    "text.parse_math": False,
    "axes.unicode_minus": True,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": LINE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "fxsim",
}


def sweep_figure(rows: Sequence[SweepRow], parent: float | None) -> str:
    """Accuracy over activation word length, a line for each number of levels; ``parent`` across."""

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        widths = sorted({row.activation_bits for row in rows})
        if parent is not None:
            axes.axhline(100 * parent, color=INK, linewidth=1.2, linestyle=(0, (1, 2)))
            axes.annotate(
                "float parent",
                (0, 100 * parent),
                xycoords=("axes fraction", "data"),
                xytext=(4, 4),
                textcoords="offset points",
            )
        series = groupby(rows, key=lambda row: (row.retrained, row.levels))
        for i, ((retrained, levels), group) in enumerate(series):
            points = sorted(group, key=lambda row: row.activation_bits)
            axes.plot(
                [widths.index(row.activation_bits) for row in points],
                [100 * row.accuracy for row in points],
                color=INK if retrained else COLOURS[i % SERIES],
                marker="*" if retrained else _MARKERS[i % SERIES],
                markersize=9 if retrained else 5.5,
                markeredgewidth=0,
                linewidth=2,
                linestyle="--" if retrained else "-",
                label=weights_label(levels, retrained),
            )
        axes.set_xticks(range(len(widths)), [str(bits) for bits in widths])
        axes.set_xlabel("activation word length (bits)")
        axes.set_ylabel("accuracy (%)")
        axes.margins(x=0.06, y=0.12)
        axes.grid(axis="y")
        figure.legend(loc="outside right center", title="weights", alignment="left")

    return render_figure(draw, 4.1, "Accuracy over the word lengths of weights and activations")


def range_figure(layers: Sequence[LayerSummary | AddSummary]) -> str:
    """Observed ranges inside the limits of their formats, on an axis in bits of magnitude."""
    rows: list[tuple[str, Values, str, str]] = []
    for layer in layers:
        overflows = layer.overflows if isinstance(layer, LayerSummary) else 0
        note = f"{overflows:,} overflows" if overflows else ""
        rows.append((f"{layer.name} accumulator", layer.accumulator, note, COLOURS[0]))
        if layer.output is not None:
            note = f"{layer.clipped:,} clipped" if layer.clipped else ""
            rows.append((f"{layer.name} output", layer.output, note, COLOURS[1]))

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        reach = max(1.0, *(abs(_bits(limit)) for _, v, _, _ in rows for limit in v.limits))
        for y, (_, values, note, colour) in enumerate(rows):
            low, high = map(_bits, values.limits)
            axes.barh(y, high - low, left=low, height=0.62, color=LINE)
            start, end = map(_bits, values.seen)
            axes.barh(y, max(end - start, reach / 200), left=start, height=0.34, color=colour)
            text = f"{values.format}   {note}" if note else values.format
            axes.annotate(text, (high, y), (6, 0), textcoords="offset points", va="center")
        axes.axvline(0, color=MUTED, linewidth=0.8)
        axes.set_yticks(range(len(rows)), [label for label, *_ in rows])
        axes.invert_yaxis()
        axes.set_xlim(-reach * 1.03, reach * 1.45)
        step = 4 if reach > 8 else 2
        first = -int(reach) // step * step
        ticks = [tick for tick in range(first, int(reach) + 1, step) if abs(tick) <= reach]
        axes.set_xticks(ticks, [_power(tick) for tick in ticks])
        axes.set_xlabel("value, on a scale of bits")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)

    return render_figure(
        draw, 0.9 + 0.42 * len(rows), "Observed ranges within the limits of the formats"
    )


def area_figure(area: Area) -> str:
    """LUTs of each layer, stacked by block."""
    layers = area.by_layer()
    blocks = sorted(
        {block for counts in layers.values() for block in counts},
        key=lambda block: -sum(counts.get(block, 0) for counts in layers.values()),
    )

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        left = [0] * len(layers)
        for i, block in enumerate(blocks):
            counts = [layer.get(block, 0) for layer in layers.values()]
            axes.barh(
                range(len(layers)),
                counts,
                left=left,
                height=0.6,
                color=COLOURS[i % SERIES],
                edgecolor=PAPER,
                linewidth=1,
                hatch="//" if i >= SERIES else None,
                label=block or "own logic",
            )
            left = [a + b for a, b in zip(left, counts, strict=True)]
        for y, total in enumerate(left):
            axes.annotate(f"{total:,}", (total, y), (5, 0), textcoords="offset points", va="center")
        axes.set_yticks(range(len(layers)), [layer or "top level" for layer in layers])
        axes.invert_yaxis()
        axes.set_xlim(0, max(left, default=1) * 1.12)
        axes.set_xlabel(f"LUTs on {area.target}")
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0)
        if blocks:
            figure.legend(loc="outside right center", alignment="left")

    height = 0.9 + max(0.45 * len(layers), 0.26 * len(blocks))
    return render_figure(draw, height, f"LUTs by layer and block on {area.target}")


def weights_label(levels: int | None, retrained: bool) -> str:
    """How figures and tables call the weights of a sweep."""
    return f"{levels or 'own'} levels" + (", retrained" if retrained else "")


def _bits(value: int) -> float:
    """Signed logarithm: 0 at 0, and about ``n`` at 2**n."""
    return math.copysign(math.log2(1 + abs(value)), value)


def _power(bits: int) -> str:
    exponent = str(abs(bits)).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return "0" if bits == 0 else f"{'−' if bits < 0 else ''}2{exponent}"


def render_figure(draw: Callable[[Any], None], height: float, title: str) -> str:
    """SVG of what ``draw`` puts on a figure; the first word of ``title`` is unique on its page."""
    return _inline(_draw(draw, height), title)


def stand_alone(draw: Callable[[Any], None], height: float) -> str:
    """SVG for a file of its own, on a white page."""
    svg = _draw(draw, height, transparent=False)
    for placeholder, colour in _FIXED.items():
        svg = svg.replace(placeholder, colour)
    return svg


def _draw(draw: Callable[[Any], None], height: float, *, transparent: bool = True) -> str:
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # the browser has others
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        draw(figure)
        buffer = io.StringIO()
        metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(buffer, format="svg", transparent=transparent, metadata=metadata)
    return printable(buffer.getvalue(), keep="\n")  # labels may be of users


def _inline(svg: str, title: str) -> str:
    """SVG for use inside HTML: no name spaces, no fixed size, ids of its own, colours by name."""
    prefix = f"{title.split()[0].lower()}-"
    box = re.search(r'viewBox="([-0-9. ]+)"', svg)
    assert box is not None
    body = svg[svg.index(">", box.end()) + 1 :]
    for pattern, replacement in (
        (r"<style.*?</style>", ""),
        (r'<g id="[^"]*"', "<g"),
        (r'<(path|clipPath|pattern) id="', rf'<\1 id="{prefix}'),
        (r' xlink:href="#', f' href="#{prefix}'),
        (r"url\(#", f"url(#{prefix}"),
        (r" font-family: [^;\"<>]*;", ""),
        (r'fill="(#f1c0[0-9a-f]{2})"', r'style="fill: \1"'),
        (r"(?<=: )#f1c0[0-9a-f]{2}\b", lambda found: f"var(--{_VARIABLES[found[0]]})"),
    ):
        body = re.sub(pattern, replacement, body, flags=re.DOTALL)
    return f'<svg viewBox="{box[1]}" role="img" aria-label="{escape(title)}">{body.strip()}'
