"""Data sets by name: samples and labels that are the same on every machine."""

from __future__ import annotations

import difflib
from collections.abc import Callable

from fxsim.data import digits, pydoc
from fxsim.data.dataset import Dataset, Split
from fxsim.errors import SpecError

__all__ = ["Dataset", "Split", "alphabet", "load", "load_split"]

_SOURCES: dict[str, Callable[[], Dataset]] = {"digits": digits.load, "pydoc": pydoc.load}
_ALPHABETS = {"pydoc": pydoc.SYMBOLS}


def load(name: str) -> Dataset:
    """Load a data set.

    Raises
    ------
    SpecError
        If the name is unknown; the message gives the nearest known one.
    """
    if name not in _SOURCES:
        near = difflib.get_close_matches(name, _SOURCES, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known names: {', '.join(_SOURCES)}"
        raise SpecError(f"unknown data set {name!r}; {hint}")
    return _SOURCES[name]()


def alphabet(name: str) -> str:
    """Characters of a data set of text: symbol k is input k and class k.

    Raises
    ------
    SpecError
        If the data set has no characters.
    """
    if name not in _ALPHABETS:
        raise SpecError(f"data must have characters ({', '.join(_ALPHABETS)}), not be {name!r}")
    return _ALPHABETS[name]


def load_split(text: str) -> Split:
    """Load one split, written ``digits:train`` or ``digits:test``; ``pydoc:validation`` too.

    Raises
    ------
    SpecError
        If the text has another form or the data set is unknown.
    """
    name, _, split = text.partition(":")
    dataset = load(name)
    splits = {"train": dataset.train, "test": dataset.test}
    if dataset.validation is not None:
        splits["validation"] = dataset.validation
    if split not in splits:
        known = " or ".join(f"{name}:{known}" for known in splits)
        raise SpecError(f"split must be {known}, not {text!r}")
    return splits[split]
