"""Windows of images, and their greatest values; the order is that of `fxsim.windows.Windows`."""

from __future__ import annotations

import numpy as np

from fxsim.kernels.jit import jit
from fxsim.network import IntArray


@jit
def gather(
    images: IntArray,
    first: int,
    depth: int,
    kernel: tuple[int, int],
    places: tuple[int, int],
    stride: int,
    padding: int,
    outside: int,
) -> IntArray:
    """Windows of ``depth`` channels from ``first`` on, each a row; pixels beyond are ``outside``.

    Takes images (n, height, width, channels) and returns (n * rows * columns, window size), with
    ``places`` being rows and columns of windows.
    """
    count, height, width, _ = images.shape
    tall, wide = kernel
    result = np.empty((count * places[0] * places[1], tall * wide * depth), np.int64)
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
    images: IntArray, kernel: tuple[int, int], places: tuple[int, int], stride: int, padding: int
) -> IntArray:
    """Greatest value of each channel in each window; pixels outside the image do not count.

    Takes images (n, height, width, channels) and returns (n, rows, columns, channels).
    """
    count, height, width, channels = images.shape
    result = np.empty((count, places[0], places[1], channels), np.int64)
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
