"""Data sets by name: samples and labels that are the same on every machine."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from fxsim.arguments import check_type
from fxsim.data import (
    cifar10,
    digits,
    handwriting,
    house_numbers,
    mnist,
    phonemes,
    pydoc,
    svhn,
    timit,
    wikipedia,
)
from fxsim.data.dataset import Dataset, Split
from fxsim.data.local import base
from fxsim.errors import SpecError

__all__ = ["Dataset", "Split", "alphabet", "folder_of", "load", "load_split"]

_MADE: dict[str, Callable[[], Dataset]] = {
    "digits": digits.load,
    "handwriting": handwriting.load,
    "house-numbers": house_numbers.load,
    "phonemes": phonemes.load,
    "pydoc": pydoc.load,
}
_LOCAL: dict[str, Callable[[Path], Dataset]] = {
    "cifar10": cifar10.load,
    "enwik8": wikipedia.load_enwik8,
    "mnist": mnist.load,
    "svhn": svhn.load,
    "text8": wikipedia.load_text8,
    "timit": timit.load,
}
_ALPHABETS = {"pydoc": pydoc.SYMBOLS, **wikipedia.SYMBOLS}


def load(text: str, shape: tuple[int, ...] | None = None) -> Dataset:
    """Load a data set.

    Parameters
    ----------
    text : str
        A name, like ``digits``. Sets that fxsim does not bring are read from the folder that
        follows an ``@``, as in ``mnist@/data/mnist``; see `fxsim.data.local` for the default.
    shape : tuple of int, optional
        Shape that samples are wanted in; they keep their own if theirs has not as many values.

    Raises
    ------
    SpecError
        If the name is unknown; the message gives the nearest known one.
    FileError
        If files of the set are missing, damaged, or not the published ones.
    """
    check_type(text, str, "data")
    name, at, folder = text.partition("@")
    if name in _LOCAL:
        place = folder_of(text)
        assert place is not None
        dataset = _read(name, place)
    elif name not in _MADE:
        known = [*_MADE, *_LOCAL]
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known names: {', '.join(known)}"
        raise SpecError(f"unknown data set {name!r}; {hint}")
    elif at:
        raise SpecError(f"{name} needs no files, so no folder may follow it, not {folder!r}")
    else:
        dataset = _MADE[name]()
    if shape is not None:
        check_type(shape, tuple, "shape")
    return dataset if shape is None else dataset.shaped(shape)


def folder_of(text: str) -> Path | None:
    """Folder from which `load` reads a data set; None for one that fxsim makes."""
    name, _, folder = text.partition("@")
    if name not in _LOCAL:
        return None
    return base(Path(folder).expanduser() if folder else None)


def alphabet(name: str) -> str:
    """Characters of a data set of text: symbol k is input k and class k.

    Raises
    ------
    SpecError
        If the data set has no characters.
    """
    check_type(name, str, "data")
    name = name.partition("@")[0]
    if name not in _ALPHABETS:
        raise SpecError(f"data must have characters ({', '.join(_ALPHABETS)}), not be {name!r}")
    return _ALPHABETS[name]


@lru_cache(maxsize=1)
def _read(name: str, folder: Path) -> Dataset:
    """Read files once, however many ask."""
    return _LOCAL[name](folder)


def load_split(text: str, shape: tuple[int, ...] | None = None) -> Split:
    """Load one split, written ``digits:train``, ``digits:validation`` or ``digits:test``.

    Raises
    ------
    SpecError
        If the text has another form or the data set is unknown.
    FileError
        Like `load`.
    """
    check_type(text, str, "data")
    name, _, split = text.rpartition(":")
    splits = load(name or split, shape).splits
    if not name or split not in splits:
        known = " or ".join(f"{name or split}:{known}" for known in splits)
        raise SpecError(f"split must be {known}, not {text!r}")
    return splits[split]
