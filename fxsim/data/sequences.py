"""Text as sequences of one-hot vectors, each labelled with the symbol that follows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fxsim.data.dataset import Split

STEPS = 100
"""Characters in a sequence."""


def sequences(ids: npt.NDArray[np.integer[Any]], symbols: int, chosen: slice | int) -> Split:
    """Cut a text into sequences of 100 steps.

    Parameters
    ----------
    ids : integer array, shape (characters,)
    symbols : int
        Length of the one-hot vectors.
    chosen : slice or int
        Which sequences: a range of them, or so many evenly spaced ones (all, if there are fewer).

    Returns
    -------
    Split
        x (n, 100, symbols) with one 1.0 a step, y (n, 100) the next symbols. Read-only, and in
        single precision, which holds 0 and 1 in half the memory.
    """
    n = (len(ids) - 1) // STEPS
    kept = np.arange(n)
    kept = (
        kept[chosen]
        if isinstance(chosen, slice)
        else np.arange(min(chosen, n)) * n // min(chosen, n)
    )
    now, after = (ids[start : start + n * STEPS].reshape(n, STEPS)[kept] for start in (0, 1))
    x = np.eye(symbols, dtype=np.float32)[now]
    y = after.astype(np.int64)
    for array in (x, y):
        array.flags.writeable = False
    return Split(x, y)
