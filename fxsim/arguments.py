"""Types of what a caller hands over, checked where public functions begin."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fxsim.errors import ArgumentError


def check_type(value: object, kind: type, name: str) -> None:
    """Check that an argument has a type.

    Raises
    ------
    ArgumentError
        With the argument's name, the type that it must have, and its own.
    """
    if not isinstance(value, kind):
        raise _wrong(name, kind.__name__, value)


def as_path(value: str | os.PathLike[str], name: str) -> Path:
    """Path of an argument.

    Raises
    ------
    ArgumentError
        If it is none.
    """
    if isinstance(value, str | os.PathLike) and isinstance(text := os.fspath(value), str):
        return Path(text)
    raise _wrong(name, "path", value)


def as_array(value: Any, name: str) -> npt.NDArray[Any]:
    """Array of an argument.

    Raises
    ------
    ArgumentError
        If it is none, as lists of different lengths, or one with a mask, which nothing here heeds.
    """
    if isinstance(value, np.ma.MaskedArray):
        raise ArgumentError(f"{name} must be an array without a mask; fill it first")
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"{name} must be an array: {error}") from None
    if array.ndim == 0:
        raise _wrong(name, "array", value)
    return array


def _wrong(name: str, wanted: str, value: object) -> ArgumentError:
    article = "an" if wanted[0] in "AEIOaeio" else "a"
    shown = repr(value) if isinstance(value, str | bytes | int | float | None) else ""
    found = f"{type(value).__name__} {shown:.60}".rstrip() if value is not None else "None"
    return ArgumentError(f"{name} must be {article} {wanted}, not {found}")
