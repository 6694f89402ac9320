"""Kinds of layers that move windows over an image, and what they have in common."""

from __future__ import annotations

from abc import abstractmethod

from fxsim.arithmetic.windows import Windows
from fxsim.errors import RangeError
from fxsim.spec.common import Shape
from fxsim.spec.formats import Fail
from fxsim.spec.kind import Context, Kind


class ImageKind(Kind):
    """A kind that moves windows over an image."""

    @abstractmethod
    def windows(self, shape: Shape) -> Windows:
        """Windows on an image of ``shape`` (channels, height, width).

        Raises
        ------
        RangeError
            If they do not fit.
        """

    def shape_out(self, *shapes: Shape) -> Shape:
        """An image with as many channels, a pixel for each place."""
        windows = self.windows(*shapes)
        return windows.channels, windows.rows, windows.columns

    def check(self, context: Context, fail: Fail) -> None:
        """Refuse a vector, and windows that do not fit; what else, `check_windows` says."""
        self.needs_image(context, fail)
        try:
            windows = self.windows(context.shape)
        except RangeError as error:
            fail(str(error), str(error).split()[0])
        self.check_windows(windows, context, fail)

    @abstractmethod
    def check_windows(self, windows: Windows, context: Context, fail: Fail) -> None:
        """Refuse keys that do not go together; ``windows`` fit the image."""


def check_simd(windows: Windows, simd: int, fail: Fail, path: str) -> None:
    """Refuse input lanes that do not divide windows; ``path`` is their key."""
    if simd not in (choices := windows.simd_choices()):
        fail(
            f"simd must be one of {choices} (part of a pixel, pixels of a row of the window, or"
            f" the window), not {simd}",
            path,
        )
