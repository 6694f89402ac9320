"""Characters of Python's own help texts, which every interpreter carries: no download.

The topics of ``pydoc_data`` (PSF licence) are sorted by name and joined, and split 90/5/5 by
position. They change with the Python version, and so do the splits and every figure measured on
them: `digest` and the length of `text` say which text it was.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pydoc_data.topics import topics  # type: ignore[import-untyped, unused-ignore]

import numpy as np

from fxsim.data.dataset import Dataset
from fxsim.data.sequences import sequences

SYMBOLS = "\n" + "".join(map(chr, range(32, 127)))
"""The 96 symbols: newline and printable ASCII, on every Python version alike."""

TESTED = 64
"""Sequences of the validation and of the test split, evenly spaced over their texts."""

_PLAIN = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "..."})


@cache
def text() -> str:
    """All topics, with typographic marks as ASCII and any other foreign character as ``?``."""
    joined = "".join(topics[name] for name in sorted(topics)).translate(_PLAIN)
    return "".join(symbol if symbol in SYMBOLS else "?" for symbol in joined)


@cache
def digest() -> str:
    """SHA-256 of `text`, in hexadecimal."""
    return hashlib.sha256(text().encode()).hexdigest()


@cache
def load() -> Dataset:
    """Load the text as sequences: x (n, 100, 96) with one 1.0 a step, y (n, 100) the next symbols.

    The training sequences follow one another without a gap, so that a trainer can join them again.
    The arrays are read-only, and single precision, which holds 0 and 1 in half the memory.
    """
    ids = np.array([SYMBOLS.index(symbol) for symbol in text()], dtype=np.int64)
    train, validation, test = np.split(ids, [len(ids) * 90 // 100, len(ids) * 95 // 100])
    return Dataset(
        "pydoc",
        sequences(train, len(SYMBOLS), slice(None)),
        sequences(test, len(SYMBOLS), TESTED),
        len(SYMBOLS),
        validation=sequences(validation, len(SYMBOLS), TESTED),
    )
