"""Real weights to the levels of a code, which are given by their magnitudes in rising order."""

from __future__ import annotations

import numpy as np

from fxsim.arithmetic.tensors import FloatArray, IntArray


def thresholds(magnitudes: IntArray) -> FloatArray:
    """Middles of neighbouring magnitudes, where the nearest level changes."""
    middles: FloatArray = (magnitudes[1:] + magnitudes[:-1]) / 2
    return middles


def nearest(ratio: FloatArray, magnitudes: IntArray) -> IntArray:
    """Levels nearest to real numbers of any shape; of two as near, the one of greater magnitude.

    Where 0 is no level, 0 becomes positive.
    """
    magnitude = magnitudes[np.searchsorted(thresholds(magnitudes), np.abs(ratio), side="right")]
    return np.where(ratio < 0, -magnitude, magnitude)
