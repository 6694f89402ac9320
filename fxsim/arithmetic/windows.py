"""Windows over an image: sizes, padding and order, shared by convolution and pooling."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from fxsim.arithmetic.tensors import set_int
from fxsim.errors import RangeError

T = TypeVar("T", bound=np.generic)

MAX_SIDE = 1 << 12
"""Longest side of an image, in pixels."""


class Padding(NamedTuple):
    """Pixels beside an image, by side."""

    top: int = 0
    left: int = 0
    bottom: int = 0
    right: int = 0


_NONE = Padding()


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
    stride : tuple of int
        Pixels from a window to the one below and to the one beside it; one number is both.
    padding : Padding
        Pixels beside the image; one number is that of each side. They are fewer than the kernel
        has, so that every window sees the image.
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
    stride: tuple[int, int] = (1, 1)
    padding: Padding = _NONE
    groups: int = 1

    def __post_init__(self) -> None:
        for field in ("channels", "height", "width"):
            set_int(self, field, 1, 1 << 16 if field == "channels" else MAX_SIDE)
        self._set_integers("kernel", 1, 2, "two positive integers")
        self._set_integers("stride", 1, 2, "one or two positive integers")
        self._set_integers("padding", 0, 4, "one or four integers that are not negative")
        object.__setattr__(self, "padding", Padding(*self.padding))
        set_int(self, "groups", 1, self.channels)
        if self.channels % self.groups:
            raise RangeError(f"groups must divide {self.channels} channels, not {self.groups}")
        tall, wide = self.kernel
        for side, value in self.padding._asdict().items():
            taps = tall if side in ("top", "bottom") else wide
            if value >= taps:
                raise RangeError(
                    f"padding must be less than the kernel, {taps}, not {value} ({side})"
                )
        for size, reach, side in (
            (tall, self.framed_height, "height"),
            (wide, self.framed_width, "width"),
        ):
            if size > reach:
                raise RangeError(f"kernel must be at most {reach}, the padded {side}, not {size}")

    def _set_integers(self, field: str, least: int, count: int, what: str) -> None:
        """Make a tuple of ``count`` integers of a field, which may hold one for all."""
        given = getattr(self, field)
        values = (given,) * count if isinstance(given, int) and field != "kernel" else tuple(given)
        fits = all(type(value) is int and least <= value <= MAX_SIDE for value in values)
        if len(values) != count or not fits:
            raise RangeError(f"{field} must be {what}, not {given}")
        object.__setattr__(self, field, values)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the image."""
        return self.channels, self.height, self.width

    @property
    def items(self) -> int:
        """Integers of an image."""
        return math.prod(self.shape)

    @property
    def framed_height(self) -> int:
        """Rows of pixels with the padding."""
        return self.padding.top + self.height + self.padding.bottom

    @property
    def framed_width(self) -> int:
        """Columns of pixels with the padding."""
        return self.padding.left + self.width + self.padding.right

    @property
    def rows(self) -> int:
        """Rows of windows."""
        return (self.framed_height - self.kernel[0]) // self.stride[0] + 1

    @property
    def columns(self) -> int:
        """Windows in a row."""
        return (self.framed_width - self.kernel[1]) // self.stride[1] + 1

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
        tall, (above, _, below, _) = self.kernel[0], self.padding
        return max(tall + self.stride[0], 2 * tall - above - below)

    def row_plan(self) -> list[tuple[int, int]]:
        """For each row of windows: rows of the image that it needs, and rows that it frees.

        Counted from the first row that is still held; the last one needed may be incomplete, except
        at the row's last window. The rows freed are those that no later window of the image sees;
        the last row of windows frees all that is left.
        """
        starts = [row * self.stride[0] - self.padding.top for row in range(self.rows)]
        first = [max(start, 0) for start in starts] + [self.height]
        plan = []
        for row, (now, later) in enumerate(pairwise(first)):
            end = min(starts[row] + self.kernel[0], self.height)
            plan.append((max(end, later) - now, later - now))
        return plan

    def gather(self, images: npt.NDArray[T], outside: float, group: int = 0) -> npt.NDArray[T]:
        """Windows (n, places, size) of one group of images (n, items)."""
        (top, left, bottom, right), depth = self.padding, self.group_channels
        pixels = images.reshape(len(images), self.height, self.width, self.channels)
        pixels = pixels[..., group * depth : (group + 1) * depth]
        framed = np.pad(
            pixels, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=outside
        )
        views = np.lib.stride_tricks.sliding_window_view(framed, self.kernel, axis=(1, 2))
        views = views[:, :: self.stride[0], :: self.stride[1]].transpose(0, 1, 2, 4, 5, 3)
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
