"""The first 100 MB of English Wikipedia as Mahoney cut them: text8 and enwik8, split 90/5/5.

text8 has 27 symbols, the space and a to z; enwik8 has 256, the bytes of the marked-up text. One-hot
vectors of all of it would take 10 and 100 GB: the training split of `load` is the beginning, 256
MiB of vectors. `read_text` gives everything, as symbol numbers.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fxsim.data.dataset import Dataset
from fxsim.data.local import check_published, find, folders, read
from fxsim.data.sequences import STEPS, sequences
from fxsim.errors import FileError

PUBLISHED = {
    "text8": "3bea1919949baf155f99411df5fada7e",
    "enwik8": "a1fa5ffddb56f4953e226637dabbb36a",
}
"""Files of 100 000 000 bytes and their MD5."""

SYMBOLS = {"text8": " abcdefghijklmnopqrstuvwxyz", "enwik8": "".join(map(chr, range(256)))}
"""Symbol s of a text is the byte ``SYMBOLS[name][s]``."""

TESTED = 640
"""Sequences of the validation and of the test split, evenly spaced over their texts."""

_SIZE = 100_000_000
_LIMIT = 1 << 27
_VECTORS = 1 << 28


def read_text(
    name: str, folder: Path | None = None, *, published: bool = True
) -> dict[str, npt.NDArray[np.uint8]]:
    """Symbol numbers of the whole training, validation and test texts.

    Parameters
    ----------
    name : str
        ``text8`` or ``enwik8``.
    folder : Path, optional
        See `fxsim.data.local`.
    published : bool
        True if the file must be the published one.

    Raises
    ------
    FileError
        If the file is missing, has other symbols or is not the published one.
    """
    (path,) = find(name, folders(name, folder), [name])
    content = read(path, limit=_LIMIT)
    if published:
        check_published(path, content, _SIZE, PUBLISHED[name])
    table = np.full(256, 255, np.uint8)
    codes = np.frombuffer(SYMBOLS[name].encode("latin1"), np.uint8)
    table[codes] = np.arange(len(codes))
    raw = np.frombuffer(content, np.uint8)
    foreign = np.setdiff1d(np.unique(raw), codes)
    if foreign.size:
        raise FileError(f"{path}: must hold the space and a to z only, not byte {foreign[0]}")
    ids = table[raw]
    if len(ids) < 20 * (STEPS + 1):
        raise FileError(f"{path}: must have at least {20 * (STEPS + 1)} bytes, not {len(ids)}")
    parts = np.split(ids, [len(ids) * 90 // 100, len(ids) * 95 // 100])
    return dict(zip(("train", "validation", "test"), parts, strict=True))


def load(name: str, folder: Path | None = None, *, published: bool = True) -> Dataset:
    """Load the text as sequences; see `fxsim.data.sequences.sequences` and `read_text`."""
    texts = read_text(name, folder, published=published)
    symbols = len(SYMBOLS[name])
    first = slice(_VECTORS // (STEPS * symbols * 4))
    return Dataset(
        name,
        sequences(texts["train"], symbols, first),
        sequences(texts["test"], symbols, TESTED),
        symbols,
        validation=sequences(texts["validation"], symbols, TESTED),
    )


load_text8 = partial(load, "text8")
load_enwik8 = partial(load, "enwik8")
