"""From filter-bank frames to the 1353 inputs of Sung et al. 2015, for made and for real speech.

40 mel filters and the energy, with first and second derivatives, are 123 values a frame; 11 frames
are one sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fxsim.network import FloatArray

FILTERS = 40
CONTEXT = 5
"""Frames on either side of the one that is classified."""


def mel_filters(bins: int, rate: float) -> FloatArray:
    """Triangles equally spaced on the mel scale 2595 lg(1 + f / 700), from 0 to ``rate / 2``.

    Parameters
    ----------
    bins : int
        Bins of the power spectrum, from 0 to ``rate / 2``.
    rate : float
        Samples per second.

    Returns
    -------
    float64 array, shape (bins, 40)
    """
    top = 2595 * np.log10(1 + rate / 2 / 700)
    corners = 700 * (10 ** (np.linspace(0, top, FILTERS + 2) / 2595) - 1)
    frequency = np.linspace(0, rate / 2, bins)[:, None]
    left, middle, right = corners[:-2], corners[1:-1], corners[2:]
    rising = (frequency - left) / (middle - left)
    return np.clip(np.minimum(rising, (right - frequency) / (right - middle)), 0, None)


def with_derivatives(static: FloatArray) -> FloatArray:
    """Frames (n, 41) with their first and second derivatives in time, (n, 123).

    Each derivative is the slope of a line fitted to five frames; the ends are repeated.
    """

    def slope(x: FloatArray) -> FloatArray:
        padded = np.pad(x, ((2, 2), (0, 0)), mode="edge")
        rise: FloatArray = 2 * (padded[4:] - padded[:-4]) + padded[3:-1] - padded[1:-3]
        return rise / 10

    first = slope(static)
    return np.concatenate([static, first, slope(first)], axis=1)


def samples(splits: Sequence[npt.NDArray[np.floating[Any]]]) -> list[npt.NDArray[np.float32]]:
    """Normalise frames and see each with its context.

    Parameters
    ----------
    splits : sequence of float array, shape (n, 123)
        Training frames first; every value gets the mean 0 and the deviation 1 that it has there.
        Recordings follow one another: the context of an end is the silence of the next one's start.

    Returns
    -------
    list of float32 array, shape (n, 1353)
        Oldest frame first. Read-only: the rows overlap in memory, a frame takes 492 bytes.
    """
    mean, deviation = (
        moment(splits[0], axis=0, dtype=np.float64).astype(splits[0].dtype)
        for moment in (np.mean, np.std)
    )
    deviation[deviation == 0] = 1  # a filter that never changes, as in a silent recording
    views = []
    for frames in splits:
        normal = ((frames - mean) / deviation).astype(np.float32, copy=False)
        padded = np.pad(normal, ((CONTEXT, CONTEXT), (0, 0)), mode="edge")
        width = (2 * CONTEXT + 1) * normal.shape[1]
        windows = np.lib.stride_tricks.sliding_window_view(padded.reshape(-1), width)
        views.append(windows[:: normal.shape[1]])
    return views
