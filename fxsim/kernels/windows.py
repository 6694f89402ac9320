"""Windows of images, in the order of `fxsim.network.Windows`, and their greatest values."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from fxsim.kernels import intrinsics as unit
from fxsim.kernels.jit import jit

_CHUNK = 32
"""Bytes that are copied at once."""

_SLACK = 64

T = TypeVar("T", bound=np.generic)


@jit
def gather(
    images: npt.NDArray[T],
    first: int,
    depth: int,
    kernel: tuple[int, int],
    places: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int, int, int],
    outside: int,
) -> npt.NDArray[T]:
    """Windows of ``depth`` channels from ``first`` on, each a row; pixels beyond are ``outside``.

    Takes contiguous images (n, height, width, channels) and returns (n * rows * columns, window
    size), with ``places`` being rows and columns of windows.
    """
    count, height, width, channels = images.shape
    tall, wide = kernel
    # The image in its frame, so that no pixel needs a test. Runs of pixels are copied a few bytes
    # too long: what they overwrite is written later, and the last ones have slack after them.
    above, before, below, behind = padding
    across = before + width + behind
    frame = np.empty((above + height + below) * across * depth + _SLACK, images.dtype)
    frame[:] = outside
    run, windows = wide * depth, count * places[0] * places[1]
    items = np.empty(windows * tall * run + _SLACK, images.dtype)
    size = images.itemsize
    length, pitch = run * size, across * depth * size
    begin, source, target = unit.address(frame), unit.address(images), unit.address(items)
    for i in range(count):
        for y in range(height):
            goal = ((y + above) * across + before) * depth
            if depth == channels:
                unit.copy(begin + goal * size, source, width * depth * size)
                source += width * depth * size
                continue
            for x in range(width):
                for c in range(depth):
                    frame[goal + x * depth + c] = images[i, y, x, first + c]
        for row in range(places[0]):
            for column in range(places[1]):
                corner = row * stride[0] * across + column * stride[1]
                place = begin + corner * depth * size
                for _ in range(tall):
                    for k in range(0, length, _CHUNK):
                        unit.copy(target + k, place + k, _CHUNK)
                    target += length
                    place += pitch
    return items[: windows * tall * run].reshape((windows, tall * run))


@jit
def greatest(
    images: npt.NDArray[T],
    kernel: tuple[int, int],
    places: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int, int, int],
    least: int,
) -> npt.NDArray[T]:
    """Greatest value of each channel in each window; pixels outside the image are ``least``.

    Takes images (n, height, width, channels) and returns (n, rows, columns, channels).
    """
    count, height, width, channels = images.shape
    above, before, _, behind = padding
    size, across = places[0] * places[1] * channels, (before + width + behind) * channels
    items = np.empty(count * size + _SLACK, images.dtype)
    length = channels * images.itemsize
    line, best = np.empty(across, images.dtype), np.empty(across + _SLACK, images.dtype)
    line[:] = least
    inner = line[before * channels : (before + width) * channels]
    pixels = images.reshape((count, height, width * channels))
    begin, target = unit.address(best), unit.address(items)
    for i in range(count):
        for row in range(places[0]):
            # All in long loops: over the rows of pixels, then over the columns of all windows.
            start = row * stride[0] - above
            first = max(start, 0)
            inner[:] = pixels[i, first]
            for y in range(first + 1, min(start + kernel[0], height)):
                other = pixels[i, y]
                for k in range(len(inner)):
                    inner[k] = other[k] if other[k] > inner[k] else inner[k]
            best[:across] = line
            for x in range(channels, kernel[1] * channels, channels):
                other = line[x:]
                for k in range(len(other)):
                    best[k] = other[k] if other[k] > best[k] else best[k]
            for column in range(places[1]):
                place = begin + column * stride[1] * length
                for k in range(0, length, _CHUNK):
                    unit.copy(target + k, place + k, _CHUNK)
                target += length
    return items[: count * size].reshape((count, places[0], places[1], channels))
