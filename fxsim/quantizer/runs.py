"""Positions of the parameters that pruning has left, coded as run lengths.

A word of ``bits`` bits below the greatest stands for that many removed parameters and one that is
left; the greatest word stands for that many removed ones, and the run goes on. The code ends where
all parameters are told, so that the decoder needs their number only, which the network gives it;
the last word may reach one parameter beyond the end, which is none.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fxsim.network import IntArray

RUN_BITS = 4


def encode(left: npt.NDArray[np.bool_], bits: int = RUN_BITS) -> IntArray:
    """Words that tell which parameters are left.

    Parameters
    ----------
    left : bool array, shape (n,)
    bits : int
        Bits of a word, at least 1.
    """
    longest = (1 << bits) - 1
    runs = np.diff(np.flatnonzero(left), prepend=-1, append=left.size) - 1
    ends = np.cumsum(runs // longest + 1)
    words = np.full(ends[-1], longest, dtype=np.int64)
    words[ends - 1] = runs % longest
    return words if words[-1] else words[:-1]  # all is told before the last one


def decode(words: IntArray, size: int, bits: int = RUN_BITS) -> npt.NDArray[np.bool_]:
    """Which of ``size`` parameters are left; the inverse of `encode`."""
    longest = (1 << bits) - 1
    ends = np.cumsum(words + (words < longest))
    left = np.zeros(size + 1, dtype=np.bool_)
    left[ends[words < longest] - 1] = True
    return left[:size]
