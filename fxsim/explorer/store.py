"""Every finished evaluation on disk at once: one SQLite file with one writer.

SQLite, and not Optuna's journal, as most methods are not Optuna's: a result must be found by its
point, one transaction must hold a result whole, and any tool can read the file. The journal is
write-ahead (readers see the last commit while the run goes on) and each commit is flushed to disk,
so that a killed run loses what was being evaluated and nothing else. A lock file that the kernel
frees with the process refuses a second writer.

The table is a function of what was evaluated, not of when: it has no times, and its order is that
of the points.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fxsim.differences import first_difference
from fxsim.errors import ConfigError, FileError
from fxsim.explorer.outcome import Outcome
from fxsim.explorer.space import Choices
from fxsim.folders import held

SCHEMA = "fxsim-explore/3"
EARLIER = "fxsim-explore/2"
"""Schema of stores without logic as it is packed; they can be read where no part limits it."""
_TABLES = """
create table facts (name text primary key, value text not null);
create table outcomes (
    choices text primary key, place integer not null, metrics text, reason text not null,
    seconds real not null);
create table measured (choices text primary key, metrics text not null);
create table verified (choices text primary key, result text not null);
create table notes (
    choices text not null, name text not null, value text not null, primary key (choices, name));
"""
FREE = ("versions", "command", "rebuild")
"""Facts that may differ when a run is resumed."""


class Store:
    """An open store; `open_store` and `read_store` make it."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @property
    def facts(self) -> dict[str, Any]:
        """Configuration, seed, hashes and versions, by name."""
        rows = self._connection.execute("select name, value from facts order by name")
        return {name: json.loads(value) for name, value in rows}

    def add(self, outcome: Outcome, seconds: float) -> None:
        """Write an outcome; it is on disk when this returns."""
        metrics = None if outcome.metrics is None else _text(outcome.metrics)
        row = (_text(outcome.choices), outcome.place, metrics, outcome.reason, seconds)
        self._write("insert or replace into outcomes values (?, ?, ?, ?, ?)", row)

    def measure(self, choices: Choices, metrics: Mapping[str, float]) -> None:
        """Write the synthesized cells of a point."""
        self._write("insert or replace into measured values (?, ?)", _pair(choices, metrics))

    def verify(self, choices: Choices, result: Mapping[str, Any]) -> None:
        """Write what the regression of a point found."""
        self._write("insert or replace into verified values (?, ?)", _pair(choices, result))

    def note(self, choices: Choices, name: str, value: Mapping[str, Any]) -> None:
        """Write something that was found out about a point of the front."""
        row = (_text(choices), name, _text(value))
        self._write("insert or replace into notes values (?, ?, ?)", row)

    def notes(self, name: str) -> dict[Choices, dict[str, Any]]:
        """Notes of a name by point."""
        rows = self._connection.execute("select choices, value from notes where name = ?", (name,))
        return {tuple(json.loads(choices)): json.loads(value) for choices, value in rows}

    def outcomes(self) -> list[Outcome]:
        """Every outcome by its point; synthesized cells stand in for predicted ones."""
        measured = self._pairs("measured")
        rows = self._connection.execute("select choices, place, metrics, reason from outcomes")
        found = []
        for text, place, metrics, reason in rows:
            choices = tuple(json.loads(text))
            seen = None if metrics is None else json.loads(metrics)
            if seen is not None:
                seen |= measured.get(choices, {})
            found.append(Outcome(choices, place, seen, reason, choices in measured))
        return sorted(found, key=lambda outcome: outcome.choices)

    def predicted(self) -> dict[Choices, Outcome]:
        """Outcomes as the method saw them, by point."""
        rows = self._connection.execute("select choices, place, metrics, reason from outcomes")
        found = (
            Outcome(tuple(json.loads(c)), place, None if m is None else json.loads(m), reason)
            for c, place, m, reason in rows
        )
        return {outcome.choices: outcome for outcome in found}

    def verified(self) -> dict[Choices, dict[str, Any]]:
        """Regressions by point."""
        return self._pairs("verified")

    def seconds(self) -> float:
        """Time that all evaluations took."""
        (total,) = self._connection.execute("select total(seconds) from outcomes").fetchone()
        return float(total)

    def _pairs(self, table: str) -> dict[Choices, Any]:
        rows = self._connection.execute(f"select * from {table}")
        return {tuple(json.loads(choices)): json.loads(value) for choices, value in rows}

    def _write(self, statement: str, row: tuple[Any, ...]) -> None:
        try:
            with self._connection:
                self._connection.execute(statement, row)
        except sqlite3.Error as error:
            raise FileError(f"{self.path}: cannot be written ({error})") from error


@contextmanager
def open_store(path: Path, facts: Mapping[str, Any], *, resume: bool) -> Iterator[Store]:
    """Open a store for writing: a new one, or with ``resume`` one of the same facts.

    Raises
    ------
    FileError
        If it exists and is not to be resumed, another process writes to it, or it is no store.
    ConfigError
        If it was made with other facts; the message names the first that differs.
    """
    with held(path.with_name(f"{path.name}.lock"), path), _connected(path) as connection:
        new = not connection.execute("select name from sqlite_master").fetchall()
        if new:
            connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")
        store = Store(path, connection)
        if new:
            _create(connection, facts)
        elif store.facts["schema"] == EARLIER:
            raise FileError(
                f"{path}: was made by an earlier fxsim, which counted other cells; give another"
                " --store"
            )
        elif not resume:
            raise FileError(f"{path}: exists; give --resume to go on with it, or another --store")
        else:
            _compare(path, store.facts, facts)
        yield store


@contextmanager
def read_store(path: Path) -> Iterator[Store]:
    """Open a store for reading, also while a run writes to it.

    Raises
    ------
    FileError
        If it is missing or no store.
    """
    if not path.is_file():
        raise FileError(f"{path}: not found")
    with _connected(path) as connection:
        connection.execute("pragma query_only = on")
        if not connection.execute("select name from sqlite_master").fetchall():
            raise FileError(f"{path}: is empty")
        store = Store(path, connection)
        _check_part(store)
        yield store


def _check_part(store: Store) -> None:
    """Refuse points that a part limits, but whose logic was not counted as it is packed."""
    facts = store.facts
    part = facts.get("space", {}).get("constraints", {}).get("part")
    if part is not None and facts["schema"] == EARLIER:
        raise FileError(
            f"{store.path}: was made by an earlier fxsim, which did not count the logic of {part}"
            " as it is packed; explore again, with another --store"
        )


def _create(connection: sqlite3.Connection, facts: Mapping[str, Any]) -> None:
    rows = [(name, _text(value)) for name, value in facts.items()]
    connection.execute("begin")
    for statement in _TABLES.split(";"):
        connection.execute(statement)
    connection.execute("insert into facts values ('schema', ?)", (_text(SCHEMA),))
    connection.executemany("insert into facts values (?, ?)", rows)
    connection.commit()


def _compare(path: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    asked = {name: value for name, value in new.items() if name not in FREE}
    stored = {name: old[name] for name in asked if name in old}
    if found := first_difference(stored, asked):
        raise ConfigError(f"{path}: was made {found}")


@contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    connection = None
    try:
        connection = sqlite3.connect(path, timeout=10)
        tables = {name for (name,) in connection.execute("select name from sqlite_master")}
        if tables and "facts" not in tables:
            raise FileError(f"{path}: is not a store of fxsim explore")
        if tables:
            row = connection.execute("select value from facts where name = 'schema'").fetchone()
            if row is None or json.loads(row[0]) not in (SCHEMA, EARLIER):
                raise FileError(f"{path}: schema must be {SCHEMA}")
        yield connection
    except sqlite3.Error as error:
        raise FileError(f"{path}: is not a store of fxsim explore ({error})") from error
    finally:
        if connection is not None:
            connection.close()


def _pair(choices: Choices, value: Mapping[str, Any]) -> tuple[str, str]:
    return _text(choices), _text(value)


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        value = dict(value)
    return json.dumps(value)
