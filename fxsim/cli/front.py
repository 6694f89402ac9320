"""``fxsim front``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from fxsim.cli.options import JsonOption
from fxsim.cli.output import print_json, print_line, print_table, print_text


class Format(StrEnum):
    """How the front is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def front(
    store: Annotated[Path, typer.Argument(metavar="STORE", help="File of an exploration.")],
    form: Annotated[Format, typer.Option("--format", help="How to write it.")] = Format.TABLE,
    everything: Annotated[
        bool, typer.Option("--all", help="Every evaluated point (CSV), not only the front.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the Pareto front of an exploration."""
    from fxsim.explorer.front import front_rows, table, to_csv
    from fxsim.explorer.store import read_store

    with read_store(store) as opened:
        if everything:
            print_text(table(opened))
            return
        facts, rows, count = opened.facts, front_rows(opened), len(opened.outcomes())
    if as_json or form is Format.JSON:
        print_json({"name": facts["name"], "facts": facts, "evaluated": count, "front": rows})
    elif form is Format.CSV:
        print_text(to_csv(rows))
    else:
        print_front(f"Front of {facts['name']}", rows)
        print_line(f"{count} points evaluated by {facts['method']}")


def print_front(title: str, rows: list[dict[str, Any]]) -> None:
    """Table of the points of a front."""
    from fxsim.explorer.front import columns, extras, in_words

    names, metrics = columns(rows)
    more = extras(rows)
    checked = any("verified" in row for row in rows)
    print_table(
        title,
        ["point", *names, *(name.replace("_", " ") for name in (*metrics, *more))]
        + (["Verilog"] if checked else []),
        [
            [str(row["point"]), *map(in_words, row["values"].values())]
            + [_shown(row["metrics"].get(name)) for name in metrics]
            + [_shown(column[k]) for column in more.values()]
            + ([_verdict(row.get("verified"))] if checked else [])
            for k, row in enumerate(rows)
        ],
    )


def _shown(value: float | str | None) -> Any:
    if value is None or isinstance(value, str):
        return value
    return round(value) if float(value).is_integer() or value >= 1000 else value


def _verdict(seen: dict[str, Any] | None) -> str:
    return "-" if seen is None else "bit-exact" if seen["exact"] else "DIFFERS"
