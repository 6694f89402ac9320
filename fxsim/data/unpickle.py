"""Pickles of plain values and byte arrays, as CIFAR-10 comes in, read without running anything.

A pickle is a program. Before this one runs, its instructions are listed and only those that build
plain values are let through; the three names of numpy that an array needs stand for inert classes
of ours, and any other name ends the reading.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np

from fxsim.errors import FileError

_OPCODES = """
PROTO FRAME STOP MARK POP POP_MARK NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1
FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING BINBYTES SHORT_BINBYTES BINBYTES8 UNICODE
BINUNICODE SHORT_BINUNICODE BINUNICODE8 EMPTY_LIST APPEND APPENDS LIST EMPTY_TUPLE TUPLE TUPLE1
TUPLE2 TUPLE3 EMPTY_DICT DICT SETITEM SETITEMS PUT BINPUT LONG_BINPUT GET BINGET LONG_BINGET
MEMOIZE GLOBAL STACK_GLOBAL REDUCE BUILD
"""
_PLACES = 1 << 20
"""Values kept for later use; the reader sets aside as many places as the greatest number given."""


class _Array:
    """Description of an array that has not been checked yet."""

    def __init__(self, *_: object) -> None:
        self.state: Any = None

    def __setstate__(self, state: object) -> None:
        self.state = state

    def value(self) -> np.ndarray[Any, np.dtype[np.uint8]]:
        _, shape, dtype, fortran, data = self.state
        if not (
            isinstance(dtype, _Dtype)
            and dtype.name in (b"u1", "u1")
            and isinstance(data, bytes)
            and isinstance(shape, tuple)
            and all(type(size) is int and size >= 0 for size in shape)
            and math.prod(shape) == len(data)
        ):
            raise ValueError("an array must hold as many bytes as its shape says")
        return np.frombuffer(data, np.uint8).reshape(shape, order="F" if fortran else "C")


class _Dtype:
    """The type of an array's items."""

    def __init__(self, name: object = None, *_: object) -> None:
        self.name = name

    def __setstate__(self, state: object) -> None:
        """Byte order and the like, which bytes do not have."""


class _Encoder:
    """Makes bytes, as Python 3 writes them in the protocols of Python 2; cannot be changed."""

    __slots__ = ()

    def __call__(self, text: object, encoding: object) -> bytes:
        if not isinstance(text, str) or encoding not in ("latin1", b"latin1"):
            raise ValueError("text must be encoded in latin1")
        return text.encode("latin1")


_NAMES = {
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _Array for core in ("core", "_core")},
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _Encoder(),
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _NAMES:
            raise ValueError(f"must not name {module}.{name}")
        return _NAMES[module, name]


def unpickle(path: Path, content: bytes) -> Any:
    """Value of a pickle: plain values, and uint8 arrays in dictionaries; ``path`` is for messages.

    Text of Python 2 comes as bytes.

    Raises
    ------
    FileError
        If it is damaged, or holds more than plain values and arrays of bytes.
    """
    allowed = _OPCODES.split()
    try:
        for opcode, argument, _ in pickletools.genops(content):
            if opcode.name not in allowed:
                raise ValueError(f"must not use {opcode.name}")
            if opcode.name.endswith("PUT") and not 0 <= int(argument or 0) < _PLACES:
                raise ValueError(f"must keep at most {_PLACES} values, not number {argument}")
        value = _Unpickler(io.BytesIO(content), encoding="bytes").load()
        if isinstance(value, dict):
            return {
                key: item.value() if isinstance(item, _Array) else item
                for key, item in value.items()
            }
        return value
    except Exception as error:  # damaged pickles raise nearly everything
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise FileError(f"{path}: not a pickle of plain values ({reason[:200]})") from None
