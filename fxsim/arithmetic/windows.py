"""Windows over an image: sizes, padding and order, shared by convolution and pooling."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from fxsim.arithmetic.tensors import set_int
from fxsim.errors import RangeError

T = TypeVar("T", bound=np.generic)

MAX_SIDE = 1 << 12
"""Longest side of an image, in pixels."""


@dataclass(frozen=True, kw_only=True)
class Windows:
    """Windows of ``kernel`` pixels that move over an image by ``stride``.

    An image of shape (channels, height, width) is stored and streamed pixel by pixel, row by row,
    the channels of a pixel together: item ((y * width) + x) * channels + c. A window holds the
    channels of one group, in the same order: ((ky * kernel width) + kx) * group channels + c.
    Windows come row by row; at each place there is one for each group.

    Parameters
    ----------
    channels, height, width : int
        Shape of the image.
    kernel : tuple of int
        Height and width of a window.
    stride : int
        Pixels between windows, in both directions.
    padding : int
        Pixels around the image. Less than half of the kernel, so that there are never more rows of
        windows than rows of pixels.
    groups : int
        Parts that the channels are divided into; a window sees the channels of one.

    Raises
    ------
    RangeError
        If a size is out of range or no window fits.
    """

    channels: int
    height: int
    width: int
    kernel: tuple[int, int]
    stride: int = 1
    padding: int = 0
    groups: int = 1

    def __post_init__(self) -> None:
        for field in ("channels", "height", "width", "stride"):
            set_int(self, field, 1, 1 << 16 if field == "channels" else MAX_SIDE)
        if len(self.kernel) != 2 or not all(type(k) is int and k >= 1 for k in self.kernel):
            raise RangeError(f"kernel must be two positive integers, not {self.kernel}")
        object.__setattr__(self, "kernel", tuple(self.kernel))
        set_int(self, "padding", 0, (min(self.kernel) - 1) // 2)
        set_int(self, "groups", 1, self.channels)
        if self.channels % self.groups:
            raise RangeError(f"groups must divide {self.channels} channels, not {self.groups}")
        for size, reach, side in (
            (self.kernel[0], self.height, "height"),
            (self.kernel[1], self.width, "width"),
        ):
            if size > reach + 2 * self.padding:
                raise RangeError(
                    f"kernel must be at most {reach + 2 * self.padding}, the padded {side},"
                    f" not {size}"
                )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the image."""
        return self.channels, self.height, self.width

    @property
    def items(self) -> int:
        """Integers of an image."""
        return math.prod(self.shape)

    @property
    def rows(self) -> int:
        """Rows of windows."""
        return (self.height + 2 * self.padding - self.kernel[0]) // self.stride + 1

    @property
    def columns(self) -> int:
        """Windows in a row."""
        return (self.width + 2 * self.padding - self.kernel[1]) // self.stride + 1

    @property
    def places(self) -> int:
        """Places of a window on an image."""
        return self.rows * self.columns

    @property
    def group_channels(self) -> int:
        """Channels that a window sees."""
        return self.channels // self.groups

    @property
    def size(self) -> int:
        """Integers of a window."""
        return self.kernel[0] * self.kernel[1] * self.group_channels

    @property
    def stored_rows(self) -> int:
        """Rows of the image that hardware keeps.

        The rows of a window, and those that the next one adds. Where that is more, the windows at
        the end of an image and those at the start of the next, so that the two follow without a
        pause.
        """
        tall = self.kernel[0]
        return max(tall + self.stride, 2 * (tall - self.padding))

    def row_plan(self) -> list[tuple[int, int]]:
        """For each row of windows: rows of the image that it needs, and rows that it frees.

        Counted from the first row that is still held; the last one needed may be incomplete, except
        at the row's last window. The rows freed are those that no later window of the image sees;
        the last row of windows frees all that is left.
        """
        first = [max(row * self.stride - self.padding, 0) for row in range(self.rows)]
        first.append(self.height)
        plan = []
        for row, (now, later) in enumerate(pairwise(first)):
            end = min(row * self.stride - self.padding + self.kernel[0], self.height)
            plan.append((max(end, later) - now, later - now))
        return plan

    def gather(self, images: npt.NDArray[T], outside: float, group: int = 0) -> npt.NDArray[T]:
        """Windows (n, places, size) of one group of images (n, items)."""
        edge, stride, depth = self.padding, self.stride, self.group_channels
        pixels = images.reshape(len(images), self.height, self.width, self.channels)
        pixels = pixels[..., group * depth : (group + 1) * depth]
        framed = np.pad(
            pixels, ((0, 0), (edge, edge), (edge, edge), (0, 0)), constant_values=outside
        )
        views = np.lib.stride_tricks.sliding_window_view(framed, self.kernel, axis=(1, 2))
        views = views[:, ::stride, ::stride].transpose(0, 1, 2, 4, 5, 3)
        return views.reshape(len(images), self.places, self.size)

    def simd_choices(self) -> list[int]:
        """Lanes that a window can be given out by: part of a pixel, or a whole part of a window.

        Every divisor of the group's channels, those channels times a divisor of the kernel's width,
        and a whole window.
        """
        wide, depth = self.kernel[1], self.group_channels
        channels = [n for n in range(1, depth + 1) if depth % n == 0]
        taps = [depth * n for n in range(1, wide + 1) if wide % n == 0]
        return sorted({*channels, *taps, self.size})

    def lanes_in(self, simd: int) -> int:
        """Lanes of the pixels from which windows of ``simd`` lanes are made."""
        return min(simd, self.group_channels)

    def taps(self, simd: int) -> tuple[int, int]:
        """Rows and columns of pixels that ``simd`` lanes of a window hold."""
        pixels = simd // self.lanes_in(simd)
        return self.kernel if simd == self.size else (1, pixels)
