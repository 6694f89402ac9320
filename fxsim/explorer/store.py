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
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fxsim.differences import first_difference
from fxsim.errors import ConfigError, FileError
from fxsim.explorer.outcome import Outcome
from fxsim.explorer.seals import KEYS, TABLE, Row, check_pages, read_rows, seal_all, write_row
from fxsim.explorer.space import Choices
from fxsim.explorer.stored import METRICS, NOTES, POINT, VERIFIED, Facts, parse
from fxsim.files import remove, replacing
from fxsim.folders import held

if TYPE_CHECKING:
    from pydantic import TypeAdapter

SCHEMA = "fxsim-explore/4"
UNSEALED = "fxsim-explore/3"
"""Schema of stores without checksums; they get them when a run goes on."""
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
_HEADER = 100
"""Bytes that every SQLite file begins with."""
FREE = ("versions", "command", "rebuild")
"""Facts that may differ when a run is resumed."""


class Store:
    """An open store; `open_store` and `read_store` make it."""

    def __init__(self, path: Path, connection: sqlite3.Connection, schema: str = SCHEMA) -> None:
        self.path = path
        self.schema = schema
        self._connection = connection

    @property
    def facts(self) -> dict[str, Any]:
        """Configuration, seed, hashes and versions, by name."""
        return Facts(self.path, dict(sorted(self._rows("facts"), key=repr)))

    def add(self, outcome: Outcome, seconds: float) -> None:
        """Write an outcome; it is on disk when this returns."""
        metrics = None if outcome.metrics is None else _text(outcome.metrics)
        row = (_text(outcome.choices), outcome.place, metrics, outcome.reason, seconds)
        self._write("outcomes", row)

    def measure(self, choices: Choices, metrics: Mapping[str, float]) -> None:
        """Write the synthesized cells of a point."""
        self._write("measured", _pair(choices, metrics))

    def verify(self, choices: Choices, result: Mapping[str, Any]) -> None:
        """Write what the regression of a point found."""
        self._write("verified", _pair(choices, result))

    def note(self, choices: Choices, name: str, value: Mapping[str, Any]) -> None:
        """Write something that was found out about a point of the front."""
        self._write("notes", (_text(choices), name, _text(value)))

    def notes(self, name: str) -> dict[Choices, dict[str, Any]]:
        """Notes of a name by point."""
        rows = [(choices, value) for choices, of, value in self._rows("notes") if of == name]
        return self._by_point(f"note {name!r}", NOTES[name], rows)

    def outcomes(self) -> list[Outcome]:
        """Every outcome by its point; synthesized cells stand in for predicted ones."""
        measured = self._pairs("measured", METRICS)
        found = []
        for choices, seen in self.predicted().items():
            metrics = (
                None if seen.metrics is None else {**seen.metrics, **measured.get(choices, {})}
            )
            found.append(replace(seen, metrics=metrics, measured=choices in measured))
        return sorted(found, key=lambda outcome: outcome.choices)

    def predicted(self) -> dict[Choices, Outcome]:
        """Outcomes as the method saw them, by point."""
        found = {}
        for text, place, metrics, reason, _ in self._rows("outcomes"):
            choices = parse(self.path, "point", POINT, text)
            if not isinstance(place, int) or not isinstance(reason, str):
                raise FileError(f"{self.path}: is damaged: outcome of {list(choices)}")
            seen = None if metrics is None else parse(self.path, "metrics", METRICS, metrics)
            found[choices] = Outcome(choices, place, seen, reason)
        return found

    def verified(self) -> dict[Choices, dict[str, Any]]:
        """Regressions by point."""
        return self._pairs("verified", VERIFIED)

    def seconds(self) -> float:
        """Time that all evaluations took."""
        spent = [row[-1] for row in self._rows("outcomes")]
        if not all(isinstance(seconds, float) for seconds in spent):
            raise FileError(f"{self.path}: is damaged: seconds must be numbers")
        return float(sum(spent))

    def _pairs(self, table: str, kind: TypeAdapter[Any]) -> dict[Choices, Any]:
        return self._by_point(table, kind, self._rows(table))

    def _by_point(self, what: str, kind: TypeAdapter[Any], rows: list[Row]) -> dict[Choices, Any]:
        return {
            parse(self.path, "point", POINT, choices): parse(self.path, what, kind, value)
            for choices, value in rows
        }

    def _rows(self, table: str) -> list[Row]:
        return read_rows(self._connection, table, self.path, sealed=self.schema == SCHEMA)

    def check(self) -> None:
        """Refuse a store with a row that differs from its checksum."""
        for table in KEYS:
            self._rows(table)

    def protect(self) -> None:
        """Refuse to write."""
        self._connection.execute("pragma query_only = on")

    def prepare(self) -> None:
        """Let others read while this process writes, and rows have checksums."""
        self._connection.execute("pragma journal_mode = wal")
        self._connection.execute("pragma synchronous = full")
        if self.schema == UNSEALED:
            with self._connection:
                self._connection.execute("begin")
                seal_all(self._connection)
                write_row(self._connection, "facts", ("schema", _text(SCHEMA)))
            self.schema = SCHEMA

    def _write(self, table: str, row: Row) -> None:
        try:
            with self._connection:
                write_row(self._connection, table, row)
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
    with held(path.with_name(f"{path.name}.lock"), path):
        new = not path.exists()
        if new:
            _create(path, facts)
        with _connected(path) as store:
            _admit(store, facts, resume=resume or new)
            store.prepare()
            yield store


def _admit(store: Store, facts: Mapping[str, Any], *, resume: bool) -> None:
    """Refuse a store that a run with these facts cannot go on with."""
    if store.schema == EARLIER:
        raise FileError(
            f"{store.path}: was made by an earlier fxsim, which counted other cells; give another"
            " --store"
        )
    if not resume:
        raise FileError(f"{store.path}: exists; give --resume to go on with it, or another --store")
    _compare(store.path, store.facts, facts)
    store.check()


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
    with _connected(path) as store:
        store.protect()
        store.check()
        _check_part(store)
        yield store


def _check_part(store: Store) -> None:
    """Refuse points that a part limits, but whose logic was not counted as it is packed."""
    facts = store.facts
    constraints = facts.get("space", {}).get("constraints", {})
    part = constraints.get("part") if isinstance(constraints, dict) else None
    if part is not None and facts["schema"] == EARLIER:
        raise FileError(
            f"{store.path}: was made by an earlier fxsim, which did not count the logic of {part}"
            " as it is packed; explore again, with another --store"
        )


def _create(path: Path, facts: Mapping[str, Any]) -> None:
    """Make a store, which is whole when it gets its name."""
    for end in ("-wal", "-shm", "-journal"):  # of one that was deleted: SQLite would replay them
        remove(path.with_name(path.name + end))
    with replacing(path) as temporary, closing(sqlite3.connect(temporary)) as connection:
        try:
            connection.execute("pragma journal_mode = off")  # no file of its own next to it
            connection.execute("begin")
            for statement in (*_TABLES.split(";"), TABLE):
                connection.execute(statement)
            for name, value in {"schema": SCHEMA, **facts}.items():
                write_row(connection, "facts", (name, _text(value)))
            connection.commit()
        except sqlite3.Error as error:
            raise FileError(f"{path}: cannot be written ({error})") from error


def _compare(path: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    asked = {name: value for name, value in new.items() if name not in FREE}
    stored = {name: old[name] for name in asked if name in old}
    if found := first_difference(stored, asked):
        raise ConfigError(f"{path}: was made {found}")


@contextmanager
def _connected(path: Path) -> Iterator[Store]:
    """A store that is there, whatever its schema is."""
    connection = None
    try:
        if path.is_file() and path.stat().st_size < _HEADER:  # SQLite takes it for a new one
            raise FileError(f"{path}: is empty or cut short; remove it, or give another --store")
        connection = sqlite3.connect(path, timeout=10)
        yield Store(path, connection, _schema(path, connection))
    except (sqlite3.Error, UnicodeDecodeError) as error:  # the second of a name in the schema
        raise FileError(f"{path}: is not a store of fxsim explore ({error})") from error
    finally:
        if connection is not None:
            connection.close()


def _schema(path: Path, connection: sqlite3.Connection) -> str:
    tables = {name for (name,) in connection.execute("select name from sqlite_master")}
    if "facts" not in tables:
        raise FileError(f"{path}: is not a store of fxsim explore")
    check_pages(connection, path)
    row = connection.execute("select value from facts where name = 'schema'").fetchone()
    for schema in (SCHEMA, UNSEALED, EARLIER):
        if row == (_text(schema),):
            return schema
    raise FileError(f"{path}: schema must be {SCHEMA}")


def _pair(choices: Choices, value: Mapping[str, Any]) -> tuple[str, str]:
    return _text(choices), _text(value)


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        value = dict(value)
    return json.dumps(value)
