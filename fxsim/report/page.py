"""One self-contained HTML page from `Results`: no scripts, no links, nothing to load."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from fxsim.explorer.sweep import SweepRow
from fxsim.files import write_text
from fxsim.plan.memory import LARGE_BITS, LUT_DEPTH
from fxsim.report.figures import area_figure, range_figure, sweep_figure, weights_label
from fxsim.report.results import Area, Results
from fxsim.report.templates import template
from fxsim.targets.registry import DEFAULT


def render(results: Results) -> str:
    """Return the page; the same results give the same text."""
    filters = {"number": _number, "percent": _percent, "seconds": _seconds}
    area = _main_area(results.areas)
    figures = {
        "sweep": sweep_figure(results.sweep, results.accuracy.parent) if results.sweep else None,
        "ranges": range_figure([*results.layers, *results.adds]),
        "area": area_figure(area) if area else None,
    }
    return template("page.html.j2", filters).render(
        results=results,
        area=area,
        figures={name: svg and Markup(svg) for name, svg in figures.items()},
        grid=_grid(results.sweep),
        large_bits=LARGE_BITS,
        lut_depth=LUT_DEPTH,
        kinds={"auto": "", "block": ", block RAM", "distributed": ", LUTs"},
        widths=sorted({row.activation_bits for row in results.sweep}),
    )


def write_report(results: Results, path: Path) -> None:
    """Write the page to ``path``, atomically.

    Raises
    ------
    FileError
        If it cannot be written.
    """
    write_text(path, render(results))


def _main_area(areas: Sequence[Area]) -> Area | None:
    """Area that the figure shows: that of the default target, else the first."""
    return next((area for area in areas if area.target == DEFAULT), areas[0] if areas else None)


def _grid(rows: Sequence[SweepRow]) -> list[dict[str, Any]]:
    """Rows of the table: label, weight memory, and accuracy by activation word length."""
    grid: dict[tuple[int | None, bool], dict[str, Any]] = {}
    for row in rows:
        entry = grid.setdefault(
            (row.levels, row.retrained),
            {
                "label": weights_label(row.levels, row.retrained),
                "memory": row.weight_memory_bits,
                "accuracy": {},
            },
        )
        entry["accuracy"][row.activation_bits] = row.accuracy
    return list(grid.values())


def _number(value: int) -> str:
    return f"{value:,}"


def _percent(value: float, digits: int = 2) -> str:
    return f"{100 * value:.{digits}f} %"


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value < 10 else f"{value:.0f} s"
