"""One self-contained HTML page from the store of an exploration."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from markupsafe import Markup

from fxsim.explorer.front import columns, describe, extras, front_rows, goals
from fxsim.explorer.outcome import Goals, Outcome
from fxsim.explorer.pareto import convergence
from fxsim.explorer.space import Choices
from fxsim.explorer.store import Store
from fxsim.files import write_text
from fxsim.report.exploration_figures import (
    convergence_figure,
    head_of,
    heat_figure,
    pareto_figure,
    sensitivity_figure,
    title_of,
)
from fxsim.report.templates import template

MOST = 40
"""Points of the front at most in figures and tables; the rest is in ``fxsim front``."""


def write_exploration(store: Store, path: Path, name: str, chosen: int | None = None) -> None:
    """Write the page of a store to ``path``, atomically.

    Parameters
    ----------
    name : str
        Name of the store for the reader.
    chosen : int, optional
        Number of the point to mark; default: the one that `knee` suggests.

    Raises
    ------
    FileError
        If it cannot be written.
    """
    write_text(path, render(store, name, chosen))


def render(store: Store, name: str, chosen: int | None = None) -> str:
    """Return the page; the same store gives the same text."""
    wanted, facts, rows, outcomes = goals(store), store.facts, front_rows(store), store.outcomes()
    space = wanted.space
    marked = chosen if chosen is not None else knee(rows, wanted.names)
    shown = rows[:: -(-len(rows) // MOST)] if rows else []
    cloud = [describe(space, o) for o in outcomes if wanted.excess(o) == 0]
    known = [v for o in outcomes if (v := wanted.values(o)) is not None]
    figures: dict[str, str] = {}
    if rows:
        worst = tuple(max(column) for column in zip(*known, strict=True))
        curve = convergence(outcomes, wanted, worst) if len(wanted.names) > 1 else []
        sizes = dict(zip(space.names, space.sizes, strict=True))
        figures["heat"] = heat_figure(shown, sizes, marked)
        if curve:
            figures["convergence"] = convergence_figure(curve)
        for k, pair in enumerate(combinations(_sorted(wanted.names), 2)):
            figures[f"pareto{k}"] = pareto_figure(k, pair, cloud, rows, marked)
    if added := sensitivities(outcomes, wanted, store.notes("alone")):
        figures["sensitivity"] = sensitivity_figure(added)
    filters = {
        "number": _number,
        "title_of": title_of,
        "head_of": head_of,
        "value_of": _value,
    }
    names, metrics = columns(rows)
    return template("exploration.html.j2", filters).render(
        facts=facts,
        store=name,
        rows=shown,
        total=len(rows),
        names=names,
        metrics=metrics,
        extras=extras(shown),
        verified=any("verified" in row for row in rows),
        predicted="lut" in metrics and not all(row["measured"] for row in rows),
        marked=marked,
        suggested=chosen is None,
        evaluated=len(outcomes),
        impossible=sum(o.metrics is None for o in outcomes),
        size=space.size,
        limits=wanted.limits,
        objectives=wanted.names,
        figures={key: Markup(svg) for key, svg in figures.items()},
        commands={row["point"]: _commands(facts, row) for row in shown},
    )


def knee(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> int:
    """Number of the point nearest to the best of every objective, each scaled to 0 to 1.

    -1 without points.
    """
    if not rows:
        return -1
    values = [[row["metrics"][name] for name in names] for row in rows]
    low = [min(column) for column in zip(*values, strict=True)]
    high = [max(column) for column in zip(*values, strict=True)]

    def distance(line: list[float]) -> float:
        parts = zip(line, low, high, strict=True)
        return sum(((v - a) / (b - a)) ** 2 if b > a else 0.0 for v, a, b in parts)

    best = min(range(len(rows)), key=lambda k: distance(values[k]))
    return int(rows[best]["point"])


def sensitivities(
    outcomes: Sequence[Outcome],
    wanted: Goals,
    alone: Mapping[Choices, Mapping[str, float]],
) -> dict[str, float]:
    """Loss that each variable adds at its cheapest value, where the store has that point."""
    known = {choices: metrics for choices, metrics in alone.items() if metrics}
    known |= {o.choices: o.metrics for o in outcomes if o.metrics is not None}
    finest = wanted.space.finest
    found = {}
    for v, name in enumerate(wanted.space.names):
        cheap = known.get((*finest[:v], 0, *finest[v + 1 :]))
        base = known.get(finest)
        if cheap is not None and base is not None:
            found[name] = cheap["loss"] - base["loss"]
    return found


def _sorted(names: Sequence[str]) -> list[str]:
    """Costs before accuracies, so that accuracy is on the vertical axis."""
    return sorted(names, key=lambda name: name in ("error", "loss"))


def _commands(facts: dict[str, Any], row: dict[str, Any]) -> list[str]:
    """Command that rebuilds a point, and the one that rebuilds it retrained."""
    direct = str(facts["rebuild"]).replace("{point}", str(row["point"]))
    seen = row.get("retrained", {})
    if "checkpoint" not in seen or "reason" in seen:
        return [direct]
    before, _, after = direct.partition("--checkpoint=")
    rest = after.partition(" ")[2].removeprefix("--direct ")
    return [direct, f"{before}--checkpoint={shlex.quote(seen['checkpoint'])} {rest}"]


def _value(value: float | str | None, name: str) -> str:
    """A metric; errors in percent."""
    if name.endswith("error") and isinstance(value, float):
        return f"{100 * value:.2f} %"
    return _number(value)


def _number(value: float | str | None) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    if float(value).is_integer() or value >= 1000:
        return f"{round(value):,}"
    return f"{value:.4g}"
