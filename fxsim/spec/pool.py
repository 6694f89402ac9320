"""Pools: the greatest value or the mean of each window."""

from __future__ import annotations

from typing import Literal

from fxsim.arithmetic.windows import Windows
from fxsim.spec.common import LanesSpec, Shape, check_lanes
from fxsim.spec.formats import Fail, Model, Size
from fxsim.spec.images import ImageKind, check_simd
from fxsim.spec.kind import Context
from fxsim.spec.sides import PaddingChoice, Sides, both, padding_of


class MaxPoolSpec(ImageKind):
    """The greatest value of each window; ``stride`` is the kernel unless it is given."""

    type: Literal["max_pool"]
    kernel: Sides
    stride: Sides | None = None
    padding: PaddingChoice = 0
    hardware: LanesSpec = LanesSpec()

    def windows(self, shape: Shape) -> Windows:
        """Windows of the kernel on an image of ``shape``."""
        channels, height, width = shape
        kernel, stride = both(self.kernel), both(self.stride or self.kernel)
        return Windows(
            channels=channels,
            height=height,
            width=width,
            kernel=kernel,
            stride=stride,
            padding=padding_of(self.padding, (height, width), kernel, stride),
        )

    def check_windows(self, windows: Windows, context: Context, fail: Fail) -> None:
        """Refuse lanes that do not divide the channels."""
        check_lanes(self.hardware, context.shape, fail)


class AverageHardwareSpec(Model):
    """Pixels of a channel that an average adds at a time: 1, a divisor of the kernel, or all."""

    simd: Size = 1


class AveragePoolSpec(ImageKind):
    """The mean of each window, in the format and scale of its input; of the image by default.

    ``stride`` is the kernel unless it is given. There is no padding: it would have to count or not.
    """

    type: Literal["average_pool"]
    kernel: Sides | None = None
    stride: Sides | None = None
    hardware: AverageHardwareSpec = AverageHardwareSpec()

    def windows(self, shape: Shape) -> Windows:
        """Windows of the kernel, or the image of ``shape``, each channel by itself."""
        channels, height, width = shape
        return Windows(
            channels=channels,
            height=height,
            width=width,
            kernel=both(self.kernel) if self.kernel else (height, width),
            stride=both(self.stride or self.kernel or 1),
            groups=channels,
        )

    def check_windows(self, windows: Windows, context: Context, fail: Fail) -> None:
        """Refuse a stride without a kernel, and pixels at a time that do not divide a window."""
        if self.kernel is None and self.stride is not None:
            fail(
                f"stride must be left out without a kernel, not {self.stride}: the window is the"
                " image",
                "stride",
            )
        check_simd(windows, self.hardware.simd, fail, "hardware.simd")
