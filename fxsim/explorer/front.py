"""The front of a store as a table, CSV and JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

from fxsim.errors import FileError, SpecError
from fxsim.explorer.metrics import METRICS
from fxsim.explorer.outcome import Goals, Outcome
from fxsim.explorer.pareto import front
from fxsim.explorer.run import goals_of
from fxsim.explorer.space import Space
from fxsim.explorer.store import Store
from fxsim.explorer.stored import check_points
from fxsim.targets.device import Use
from fxsim.targets.registry import find_part

NOTES = ("test", "retrained", "clock")
"""Results of a point of the front in addition to its metrics; see `fxsim.explorer.finish`."""


def in_words(value: Any) -> str:
    """The value of a variable for people: of a mapping its values, as in ``wrap, 12``."""
    return ", ".join(map(str, value.values())) if isinstance(value, Mapping) else str(value)


def extras(rows: Sequence[dict[str, Any]]) -> dict[str, list[float | str | None]]:
    """Columns of what is known of some points besides their metrics, in their order."""
    found: dict[str, list[float | str | None]] = {}
    for name, read in _EXTRAS.items():
        values = [read(row) for row in rows]
        if any(value is not None for value in values):
            found[name] = values
    return found


def _retrained(split: str) -> Callable[[dict[str, Any]], float | str | None]:
    def read(row: dict[str, Any]) -> float | str | None:
        seen = row.get("retrained", {})
        return "-" if "reason" in seen else seen.get(split, {}).get("error")

    return read


_EXTRAS: dict[str, Callable[[dict[str, Any]], float | str | None]] = {
    "test_error": lambda row: row.get("test", {}).get("error"),
    "retrained_error": _retrained("validation"),
    "retrained_test_error": _retrained("test"),
    "part_taken": lambda row: row.get("part_taken"),
    "clock_mhz": lambda row: median(seen["mhz"]) if (seen := row.get("clock")) else None,
}


def goals(store: Store) -> Goals:
    """Objectives and limits of a store, whose points have them.

    Raises
    ------
    FileError
        If the store is damaged.
    """
    try:
        space, float_error = goals_of(store.facts)
    except SpecError as error:
        raise FileError(f"{store.path}: is damaged: {error}") from None
    found = Goals(space, float_error)
    check_points(store.path, found, store.outcomes())
    return found


def front_rows(store: Store) -> list[dict[str, Any]]:
    """Points of the front by their objectives: number, values, metrics."""
    wanted = goals(store)
    verified = store.verified()
    notes = {name: store.notes(name) for name in NOTES}
    rows = [describe(wanted.space, outcome) for outcome in front(store.outcomes(), wanted)]
    for row in rows:
        if (name := wanted.space.wanted.constraints.part) is not None:
            row["part_taken"] = _taken(name, row["metrics"])
        if (seen := verified.get(tuple(row["choices"]))) is not None:
            row["verified"] = seen
        for name, known in notes.items():
            if (found := known.get(tuple(row["choices"]))) is not None:
                row[name] = found
    return rows


def _taken(name: str, metrics: Mapping[str, float]) -> str:
    """Resource of a part that a point takes the greatest share of, and the share."""
    use = Use(name, find_part(name)[1], metrics)
    return f"{use.fullest} {use.share(use.fullest):.0%}"


def describe(space: Space, outcome: Outcome) -> dict[str, Any]:
    """Plain values of a point."""
    return {
        "point": space.number(outcome.choices),
        "choices": list(outcome.choices),
        "values": space.values(outcome.choices),
        "metrics": dict(outcome.metrics or {}),
        "measured": outcome.measured,
    }


def columns(rows: Sequence[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """Names of the variables and of the metrics of rows, in their order."""
    if not rows:
        return [], []
    known = {name for row in rows for name in row["metrics"]}
    return list(rows[0]["values"]), [name for name in METRICS if name in known]


def to_csv(rows: Sequence[dict[str, Any]]) -> str:
    """Text of a CSV file: point, variables, metrics."""
    names, metrics = columns(rows)
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    more = extras(rows)
    writer.writerow(["point", *names, *metrics, "measured", *more])
    for k, row in enumerate(rows):
        values = [row["values"][name] for name in names]
        found = [row["metrics"].get(name, "") for name in metrics]
        rest = ["" if column[k] is None else column[k] for column in more.values()]
        writer.writerow([row["point"], *values, *found, int(row["measured"]), *rest])
    return stream.getvalue()


def table(store: Store) -> str:
    """Every outcome of a store as CSV, by its point: the same however the run went."""
    space = goals(store).space
    return to_csv([describe(space, outcome) for outcome in store.outcomes()])
