"""Mutations of valid files: of their bytes, of YAML trees, of the members of npz, of SQLite cells.

All draw from a `random.Random`, so that a case is the same whenever its seed is.
"""

from __future__ import annotations

import copy
import io
import json
import sqlite3
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import yaml

Mutation = Callable[[Random, Path], None]
"""Change a file in place."""


def _nested(depth: int) -> Any:
    value: Any = 1
    for k in range(depth):
        value = {"a": value} if k % 2 else [value]
    return value


NASTY: tuple[Any, ...] = (
    *(0, 1, -1, 2, 3, 7, 33, 64, 65, 255, 256, 4096, 2**15, 2**31, 2**32 - 1, 2**53, 2**62),
    *(2**63, 2**64, -(2**63), -(2**64), 10**30, 10**400),
    *(0.0, -0.0, 0.5, 1e-320, 1e308, -1e308, float("inf"), float("-inf"), float("nan")),
    *(True, False, None, [], {}, [[]], [0], [1, 2, 3], {"a": 1}, _nested(60)),
    *("", " ", "a" * 5000, "\x1b[31mred\x1b[0m", "\x9b31m", "\u202eabc", "\ud800", "a\nb", "\0"),
    *("../../etc/passwd", "/dev/zero", "nan", "1e9999", "é" * 70, "layer0", "input", "int8", "ℤ"),
    *("uint99999999999", "int0", "int-1", "true", "{}", "int8q", "relu", "lstm", "linear"),
)


def nasty(random: Random) -> Any:
    """Value that a key hardly expects."""
    return copy.deepcopy(random.choice(NASTY))


def flip_bytes(random: Random, path: Path) -> None:
    """Change a few bytes."""
    data = bytearray(path.read_bytes())
    for _ in range(random.choice([1, 1, 2, 8, 64])):
        if data:
            data[random.randrange(len(data))] = random.randrange(256)
    path.write_bytes(data)


def truncate(random: Random, path: Path) -> None:
    """Cut the end, or the start."""
    data = path.read_bytes()
    cut = random.randrange(len(data) + 1)
    path.write_bytes(data[cut:] if random.random() < 0.2 else data[:cut])


def splice(random: Random, path: Path) -> None:
    """Repeat, move or remove a piece."""
    data = path.read_bytes()
    start, stop, at = sorted(random.randrange(len(data) + 1) for _ in range(3))
    path.write_bytes(
        random.choice(
            [
                data[:start] + data[stop:],
                data[:stop] + data[start:],
                data[:at] + data[start:stop] * random.choice([1, 2, 50]) + data[at:],
            ]
        )
    )


def replace_words(random: Random, path: Path) -> None:
    """Put a word of 4 or 8 bytes at an extreme."""
    data = bytearray(path.read_bytes())
    form = random.choice(["<I", ">I", "<Q", ">Q"])
    size = struct.calcsize(form)
    if len(data) < size:
        return
    at = random.randrange(min(len(data) - size, random.choice([64, 1 << 30])) + 1)
    top = (1 << 8 * size) - 1
    struct.pack_into(form, data, at, random.choice([0, 1, top, top >> 1, (top >> 1) + 1, 1 << 30]))
    path.write_bytes(data)


def places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in a tree with every key or index in it."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in list(items):
        yield tree, key
        if isinstance(value, dict | list):
            yield from places(value)


def kindred(random: Random, value: Any, found: list[tuple[Any, Any]]) -> Any:
    """Value of the same type: nasty, near, or from elsewhere in the tree."""
    if type(value) is int and random.random() < 0.4:
        return value + random.choice([-1, 1, -value, value, 10 * value, random.randrange(40)])
    if type(value) is float and random.random() < 0.4:
        return value * random.choice([-1.0, 1e-9, 1e9, 0.999, 0.0])
    there = (where[key] for where, key in found if not isinstance(where, list) or key < len(where))
    other = [v for v in (*NASTY, *there) if type(v) is type(value)]
    return copy.deepcopy(random.choice(other)) if other else nasty(random)


def change_tree(random: Random, tree: Any) -> Any:
    """Replace, remove, repeat, rename or swap parts of plain values."""
    tree = copy.deepcopy(tree)
    for _ in range(random.choice([1, 1, 1, 2, 5])):
        found = list(places(tree)) if isinstance(tree, dict | list) else []
        if not found or random.random() < 0.01:
            return nasty(random)
        where, key = random.choice(found)
        match random.choice(
            ["replace", "replace", "replace", "remove", "repeat", "rename", "swap"]
        ):
            case "replace":
                where[key] = nasty(random)
            case "remove":
                del where[key]
            case "repeat" if isinstance(where, list):
                where[key:key] = [copy.deepcopy(where[key])] * random.choice([1, 2, 100])
            case "rename" if isinstance(where, dict):
                where[random.choice(["", "x", "name", "type", "a.b", "\x1b[1m"])] = where.pop(key)
            case _:
                other, place = random.choice(found)
                try:
                    where[key] = copy.deepcopy(other[place])
                except (KeyError, IndexError):  # an earlier change took it away
                    where[key] = nasty(random)
    return tree


def yaml_tree(random: Random, path: Path) -> None:
    """Change the tree of a YAML file."""
    tree = change_tree(random, yaml.safe_load(path.read_text()))
    flow = random.choice([None, True, False])
    path.write_bytes(yaml.safe_dump(tree, sort_keys=False, default_flow_style=flow).encode())


def yaml_text(random: Random, path: Path) -> None:
    """Change the lines of a YAML file, or put text in that no tree has."""
    lines = path.read_text().splitlines(keepends=True)
    at = random.randrange(len(lines) + 1)
    nasty_lines = (
        *("? [a]\n: 1\n", "<<: {a: 1}\n", "a: &b 1\nc: *b\n", "!!python/object:os.system 1\n"),
        *("%YAML 9.9\n---\n", "---\n", "...\n", "\t\n", "[" * 3000, "{a: " * 400, "- " * 900),
        *('x: "\\ud800"\n', 'x: "\\x00\\x1b"\n', "x: 0o17\n", "x: 1_000\n", "x: 2026-01-01\n"),
        *("x: =\n", "x: |\n y\n", "\ufeff", "x: 1e999\n", "x: " + "9" * 5000 + "\n", "name: y\n"),
    )
    match random.choice(["insert", "remove", "repeat", "indent"]):
        case "insert":
            lines.insert(at, random.choice(nasty_lines))
        case "remove":
            del lines[at : at + 1]
        case "repeat":
            lines[at:at] = lines[at : at + 1] * random.choice([1, 2, 2000])
        case _:
            lines[at : at + 1] = [
                " " * random.randrange(8) + line.lstrip() for line in lines[at:][:1]
            ]
    path.write_bytes("".join(lines).encode("utf-8", "surrogatepass"))


def npy(array: np.ndarray[Any, Any]) -> bytes:
    """Bytes of an npy file, of objects too."""
    packed = io.BytesIO()
    np.lib.format.write_array(packed, array, allow_pickle=True)
    return packed.getvalue()


def change_array(random: Random, array: np.ndarray[Any, Any]) -> bytes:
    """Another type, shape, order or values; or a header that lies."""
    draw = np.random.default_rng(random.randrange(1 << 32))
    match random.choice(["type", "shape", "values", "values", "header", "order"]):
        case "type":
            kinds = ["i1", "u1", "i8", "u8", ">i4", "f2", "f4", "f8", ">f8", "c16", "?", "U4", "O"]
            with np.errstate(all="ignore"):
                array = array.astype(random.choice(kinds))
        case "shape":
            array = random.choice(
                [
                    *(array[:0], array[:1], array[..., None], array[None], array.reshape(-1)),
                    *(array.reshape(-1)[:1].reshape(()), array.T, np.concatenate([array, array])),
                ]
                if array.ndim
                else [array[None], array[None][:0]]
            )
        case "values":
            array = np.array(array)
            if array.size and array.dtype.kind in "iuf":
                low, high = (
                    (-np.inf, np.inf)
                    if array.dtype.kind == "f"
                    else (np.iinfo(array.dtype).min, np.iinfo(array.dtype).max)
                )
                nan = np.nan if array.dtype.kind == "f" else 0
                tiny = 5e-324 if array.dtype == np.float64 else 1
                where = draw.integers(0, array.size, random.choice([1, 3, array.size]))
                array.flat[where] = random.choice([low, high, nan, tiny, 0, -1 % 256])
        case "order":
            array = np.asfortranarray(array)
        case _:
            shapes = [(2**62, 4), (-1,), (2**31, 2**31, 4), (0,), (1,) * 40, (True,), (1.5,), "x"]
            types = ["<i8", "|O", "<f8", "|V9999999", "<U999999999", "<m8[s]", [("a", "<i8")], 3]
            text = repr(
                {
                    "descr": random.choice([array.dtype.str, *types]),
                    "fortran_order": random.choice([True, False, 1, None]),
                    "shape": random.choice([array.shape, *shapes]),
                }
            )
            text = random.choice([text, text, text[:-1], "[" * 900, "{" + text, "9" * 5000])
            raw, version = text.encode(), bytes([random.choice([1, 1, 2, 3, 9]), 0])
            head = b"\x93NUMPY" + version + struct.pack("<H", min(len(raw), 0xFFFF)) + raw
            return head + array.tobytes()[: random.choice([None, 0, 8])]
    return npy(array)


def npy_array(random: Random, path: Path) -> None:
    """Change the array of an npy file."""
    path.write_bytes(change_array(random, np.load(path)))


def npz_members(random: Random, path: Path) -> None:
    """Change, rename, remove, repeat or add arrays of an npz file."""
    with zipfile.ZipFile(path) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    for _ in range(random.choice([1, 1, 2])):
        at = random.randrange(len(members)) if members else 0
        name, data = members[at] if members else ("a.npy", npy(np.zeros(2)))
        match random.choice(["change", "change", "change", "swap", "rename", "remove", "add"]):
            case "change":
                try:
                    array = np.load(io.BytesIO(data), allow_pickle=False)
                except (ValueError, SyntaxError, TypeError, EOFError, OverflowError, MemoryError):
                    continue  # changed before
                members[at : at + 1] = [(name, change_array(random, array))]
            case "swap":
                members[at : at + 1] = [(name, random.choice(members)[1])] if members else []
            case "rename":
                names = [
                    "x",
                    "../../x.npy",
                    "a\x1b[1m.npy",
                    ".npy",
                    "é.npy",
                    name,
                    "x" * 300 + ".npy",
                ]
                members[at : at + 1] = [(random.choice(names), data)]
            case "remove":
                del members[at : at + 1]
            case _:
                many = [(f"x{k}.npy", npy(np.zeros(1))) for k in range(5000)]
                members += random.choice([[("x.npy", data)], [("x.npy", data)], many])
    kind = random.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    with zipfile.ZipFile(path, "w") as archive:
        written = set()
        for name, data in members:
            if name not in written:  # zipfile warns of names that are there
                entry = zipfile.ZipInfo(name)  # of 1980, not of now
                entry.compress_type = kind
                archive.writestr(entry, data)
                written.add(name)


def sqlite_cells(random: Random, path: Path) -> None:
    """Change rows of an SQLite file, its JSON texts as trees; or its tables."""
    connection = sqlite3.connect(path)
    tables = [
        name for (name,) in connection.execute("select name from sqlite_master where sql > ''")
    ]
    for _ in range(random.choice([1, 1, 2])):
        table = random.choice(tables)
        if random.random() < 0.05:
            statement = random.choice(
                ["drop table {0}", "delete from {0}", "alter table {0} rename to x"]
            )
            connection.execute(statement.format(table))
            break
        columns = [row[1] for row in connection.execute(f"pragma table_info({table})")]
        rows = connection.execute(f"select rowid, * from {table}").fetchall()
        if not rows:
            continue
        rowid, *cells = random.choice(rows)
        k = random.randrange(len(cells))
        value = _cell(random, cells[k])
        connection.execute(
            f"update or ignore {table} set {columns[k]} = ? where rowid = ?", (value, rowid)
        )
    connection.commit()
    connection.close()


def _cell(random: Random, cell: Any) -> Any:
    try:
        tree = json.loads(cell)
    except (TypeError, ValueError):
        tree = cell
    if random.random() < 0.8:
        text = json.dumps(change_tree(random, tree))
        return text if isinstance(cell, str) else random.choice([text, 2**62, -1, 1e308, b"\xff"])
    return random.choice(["", "{", "\xff", b"\xff\xfe", 5, -1.5, "[" * 5000, "9" * 5000, "NaN"])


def json_tree(random: Random, path: Path) -> None:
    """Change the tree of a JSON file."""
    path.write_text(json.dumps(change_tree(random, json.loads(path.read_text()))))


BYTES: tuple[Mutation, ...] = (flip_bytes, truncate, splice, replace_words)
YAML = (yaml_tree, yaml_tree, yaml_tree, yaml_text, *BYTES[:3])
NPY = (npy_array, npy_array, *BYTES)
NPZ = (npz_members, npz_members, npz_members, *BYTES)
SQLITE = (sqlite_cells, sqlite_cells, sqlite_cells, *BYTES)
JSON = (json_tree, json_tree, *BYTES[:3])
