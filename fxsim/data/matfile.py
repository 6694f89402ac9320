"""Arrays of bytes from MATLAB files of version 5, as SVHN comes in.

A file is 128 bytes of header and one element per variable, most often compressed. Sizes are checked
against what is there before anything is unpacked or copied.

`scipy.io.loadmat` reads more, but trusts its files: of 2,500 files with bytes changed, 5 ended the
process (SIGSEGV, SIGBUS; SciPy 1.17.1). The tests compare with it on sound files.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Container, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fxsim.errors import FileError

_INT8, _UINT8, _INT32, _UINT32, _MATRIX, _COMPRESSED = 1, 2, 5, 6, 14, 15
_CLASSES = {6: "double", 9: "uint8"}
_HEADER = 4096
"""Bytes of an element in which the name of a variable and its shape must be."""


def read_variables(
    path: Path, content: bytes, names: Container[str], *, limit: int
) -> dict[str, npt.NDArray[np.uint8]]:
    """Variables of the class uint8, or of doubles stored as bytes; ``path`` is for messages.

    Parameters
    ----------
    path : Path
    content : bytes
    names : container of str
        Which variables to read; others are passed over.
    limit : int
        Most bytes that a variable may unpack to.

    Raises
    ------
    FileError
        If the file is damaged, of another version, or holds other values under these names.
    """
    if len(content) < 128 or content[124:128] not in (b"\x00\x01IM", b"\x01\x00MI"):
        raise FileError(f"{path}: must be a MATLAB file of version 5")
    order = "<" if content[126:128] == b"IM" else ">"
    found: dict[str, npt.NDArray[np.uint8]] = {}
    try:
        for kind, data in _elements(memoryview(content)[128:], order):
            if kind == _COMPRESSED:
                if _peek(data, order) not in names:
                    continue
                ((kind, data),) = _elements(memoryview(_unpacked(data, limit)), order)
            if kind == _MATRIX:
                name, shape, values = _matrix(data, order)
                if name in names:
                    found[name] = _array(name, shape, values)
    except (ValueError, struct.error, zlib.error) as error:
        raise FileError(f"{path}: not a valid MATLAB file ({error})") from error
    return found


def _elements(data: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """Kind and contents of each element; those of four bytes or fewer stand in the tag."""
    at = 0
    while at + 8 <= len(data):
        kind, size = struct.unpack_from(f"{order}II", data, at)
        start, room = at + 8, len(data) - at - 8
        if kind >> 16:
            kind, size, start, room = kind & 0xFFFF, kind >> 16, at + 4, 4
        if size > room:
            raise ValueError(f"an element claims {size} bytes, {room} are left")
        yield kind, data[start : start + size]
        at = start + (size if kind == _COMPRESSED else size + -(start + size) % 8)


def _peek(data: memoryview, order: str) -> str:
    """Name of a compressed variable, from the first bytes of it."""
    start = zlib.decompressobj().decompress(data, _HEADER)[8:]
    fields = []
    at = 0
    for _ in range(3):  # flags, shape, name
        kind, size = struct.unpack_from(f"{order}II", start, at)
        small = kind >> 16
        fields.append(start[at + 4 :][:small] if small else start[at + 8 :][:size])
        at += 8 if small else 8 + size + -size % 8
    return fields[2].decode("latin1")


def _unpacked(data: memoryview, limit: int) -> bytes:
    stream = zlib.decompressobj()
    unpacked = stream.decompress(data, limit + _HEADER)
    if not stream.eof:
        raise ValueError(f"a variable must be complete and unpack to at most {limit} bytes")
    return unpacked


def _matrix(
    data: memoryview, order: str
) -> tuple[str, tuple[int, ...], tuple[int, memoryview | bytes]]:
    """Name, shape and values of a variable."""
    parts = list(_elements(data, order))
    if [kind for kind, _ in parts[:3]] != [_UINT32, _INT32, _INT8] or len(parts) < 4:
        raise ValueError("a variable must have flags, a shape, a name and values")
    flags = struct.unpack_from(f"{order}I", parts[0][1])[0]
    name = bytes(parts[2][1]).decode("latin1")
    if flags & 0xFF not in _CLASSES:
        return name, (), (0, b"")
    shape = struct.unpack(f"{order}{len(parts[1][1]) // 4}i", parts[1][1])
    return name, shape, parts[3]


def _array(
    name: str, shape: tuple[int, ...], values: tuple[int, memoryview | bytes]
) -> npt.NDArray[np.uint8]:
    kind, data = values
    if kind != _UINT8:
        raise ValueError(f"{name} must hold bytes")
    if min(shape) < 0 or math.prod(shape) != len(data):
        raise ValueError(f"{name} claims shape {shape}, but has {len(data)} bytes")
    return np.frombuffer(data, np.uint8).reshape(shape, order="F")
