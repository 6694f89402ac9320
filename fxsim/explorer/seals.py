"""Checksums of a store: a row that was changed, lost or put there by someone else is noticed.

SQLite trusts what a page holds. Every row has its SHA-256 in a table of their own, written in the
same transaction.
"""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path
from typing import Any, TypeAlias

from fxsim.errors import FileError

Row: TypeAlias = tuple[Any, ...]

KEYS = {"facts": 1, "outcomes": 1, "measured": 1, "verified": 1, "notes": 2}
"""Tables, and how many of their first columns make a key."""

TABLE = """
create table seals (
    place text not null, key text not null, digest text not null, primary key (place, key));
"""


def write_row(connection: sqlite3.Connection, table: str, row: Row) -> None:
    """Write a row and its checksum; the caller commits."""
    marks = ", ".join("?" * len(row))
    connection.execute(f"insert or replace into {table} values ({marks})", row)
    seal = (table, _key(table, row), _digest(table, row))
    connection.execute("insert or replace into seals values (?, ?, ?)", seal)


def seal_all(connection: sqlite3.Connection) -> None:
    """Write the checksums of a store that has none; the caller commits."""
    connection.execute(TABLE)
    for table in KEYS:
        for row in connection.execute(f"select * from {table}").fetchall():
            write_row(connection, table, row)


def read_rows(connection: sqlite3.Connection, table: str, path: Path, *, sealed: bool) -> list[Row]:
    """All rows of a table, as they were written.

    Raises
    ------
    FileError
        If one differs from its checksum, has none, or is missing.
    """
    connection.execute("begin")  # a run may write in between
    try:
        rows = connection.execute(f"select * from {table}").fetchall()
        if sealed:
            query = "select key, digest from seals where place = ?"
            seals = dict(connection.execute(query, (table,)))
            if {_key(table, row): _digest(table, row) for row in rows} != seals:
                raise damaged(path, f"{table} differ from their checksums")
    finally:
        connection.rollback()
    return rows


def check_pages(connection: sqlite3.Connection, path: Path) -> None:
    """Check that tables and their indices agree.

    Raises
    ------
    FileError
        If they do not.
    """
    (found,) = connection.execute("pragma integrity_check(1)").fetchone()
    if found != "ok":
        raise damaged(path, found)


def damaged(path: Path, what: str) -> FileError:
    """Error of a store that something has changed; it holds results, so it stays as it is."""
    line = " ".join(what.split())
    return FileError(
        f"{path}: is damaged ({line}); take a copy of it, or explore again with another --store"
    )


def _key(table: str, row: Row) -> str:
    return repr(row[: KEYS[table]])


def _digest(table: str, row: Row) -> str:
    return hashlib.sha256(repr((table, row)).encode()).hexdigest()
