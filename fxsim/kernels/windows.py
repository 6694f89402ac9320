"""Windows of images, and their greatest values; the order is that of `fxsim.windows.Windows`."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from fxsim.kernels.jit import jit

T = TypeVar("T", bound=np.generic)


@jit
def gather(
    images: npt.NDArray[T],
    first: int,
    depth: int,
    kernel: tuple[int, int],
    places: tuple[int, int],
    stride: int,
    padding: int,
    outside: int,
) -> npt.NDArray[T]:
    """Windows of ``depth`` channels from ``first`` on, each a row; pixels beyond are ``outside``.

    Takes images (n, height, width, channels) and returns (n * rows * columns, window size), with
    ``places`` being rows and columns of windows.
    """
    count, height, width, _ = images.shape
    tall, wide = kernel
    result = np.empty((count * places[0] * places[1], tall * wide * depth), images.dtype)
    place = 0
    for i in range(count):
        for row in range(places[0]):
            for column in range(places[1]):
                item = 0
                for y in range(row * stride - padding, row * stride - padding + tall):
                    for x in range(column * stride - padding, column * stride - padding + wide):
                        inside = 0 <= y < height and 0 <= x < width
                        for c in range(first, first + depth):
                            result[place, item] = images[i, y, x, c] if inside else outside
                            item += 1
                place += 1
    return result


@jit
def greatest(
    images: npt.NDArray[T],
    kernel: tuple[int, int],
    places: tuple[int, int],
    stride: int,
    padding: int,
) -> npt.NDArray[T]:
    """Greatest value of each channel in each window; pixels outside the image do not count.

    Takes images (n, height, width, channels) and returns (n, rows, columns, channels).
    """
    count, height, width, channels = images.shape
    result = np.empty((count, places[0], places[1], channels), images.dtype)
    for i in range(count):
        for row in range(places[0]):
            top = max(row * stride - padding, 0)
            bottom = min(row * stride - padding + kernel[0], height)
            for column in range(places[1]):
                left = max(column * stride - padding, 0)
                right = min(column * stride - padding + kernel[1], width)
                for c in range(channels):
                    best = images[i, top, left, c]
                    for y in range(top, bottom):
                        for x in range(left, right):
                            best = max(best, images[i, y, x, c])
                    result[i, row, column, c] = best
    return result
