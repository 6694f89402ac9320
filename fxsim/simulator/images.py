"""Images as kernels take them, and how many at a time."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from fxsim.network import Windows

T = TypeVar("T", bound=np.generic)

BLOCK = 1 << 18
"""Integers of windows that are held at a time, so that they stay near the processor."""


def as_pixels(windows: Windows, x: npt.NDArray[T]) -> npt.NDArray[T]:
    """Images (n, inputs) as (n, height, width, channels)."""
    shape = (-1, windows.height, windows.width, windows.channels)
    return np.ascontiguousarray(x).reshape(shape)
