"""Layers of a specification that work on images, and the shapes that they make."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field, field_validator

from fxsim.arithmetic.windows import Windows
from fxsim.errors import RangeError
from fxsim.spec.formats import Fail, Model, OutputSpec, Size, signed_by_nonlinearity
from fxsim.spec.layers import AccumulatorSpec, HardwareSpec, LanesSpec, RequantizeSpec, WeightsSpec

Side = Annotated[int, Field(ge=1, le=1 << 12)]
Shape = tuple[int, ...]


class ConvolutionSpec(Model):
    """A convolution with a square kernel; without ``output`` (last layer only) raw accumulators.

    Output channels are ``units``. With ``batch_norm`` training normalises before the nonlinearity;
    quantization folds it into bias and multipliers.
    """

    type: Literal["convolution"]
    name: str | None = None
    units: Size
    kernel: Side
    stride: Side = 1
    padding: Annotated[int, Field(ge=0, le=1 << 11)] = 0
    groups: Size = 1
    weights: WeightsSpec = WeightsSpec()
    batch_norm: bool = False
    nonlinearity: Literal["none", "relu"] = "none"
    output: OutputSpec | None = None
    accumulator: AccumulatorSpec = AccumulatorSpec()
    requantize: RequantizeSpec = RequantizeSpec()
    hardware: HardwareSpec | None = None

    _signed = field_validator("output")(signed_by_nonlinearity)


class MaxPoolSpec(Model):
    """The greatest value of each window; ``stride`` is the kernel unless it is given."""

    type: Literal["max_pool"]
    name: str | None = None
    kernel: Side
    stride: Side | None = None
    padding: Annotated[int, Field(ge=0, le=1 << 11)] = 0
    hardware: LanesSpec = LanesSpec()


class AverageHardwareSpec(Model):
    """Pixels of a channel that an average adds at a time: 1, a divisor of the kernel, or all."""

    simd: Size = 1


class AveragePoolSpec(Model):
    """The mean of each window, in the format and scale of its input; of the image by default.

    ``stride`` is the kernel unless it is given. There is no padding: it would have to count or not.
    """

    type: Literal["average_pool"]
    name: str | None = None
    kernel: Side | None = None
    stride: Side | None = None
    hardware: AverageHardwareSpec = AverageHardwareSpec()


class FlattenSpec(Model):
    """An image becomes a vector: pixel by pixel, the channels of each together."""

    type: Literal["flatten"]
    name: str | None = None


ImageSpec = ConvolutionSpec | MaxPoolSpec | AveragePoolSpec
"""Layers that move windows over an image."""


def windows_of(layer: ImageSpec, shape: Shape) -> Windows:
    """Windows of a layer on an image of ``shape`` (channels, height, width).

    Raises
    ------
    RangeError
        If they do not fit.
    """
    channels, height, width = shape
    whole = Windows(channels=channels, height=height, width=width, kernel=(height, width))
    if isinstance(layer, AveragePoolSpec):
        kernel = (layer.kernel,) * 2 if layer.kernel else (height, width)
        stride = layer.stride or layer.kernel or 1
        return replace(whole, kernel=kernel, stride=stride, groups=channels)
    return replace(
        whole,
        kernel=(layer.kernel, layer.kernel),
        stride=layer.stride or layer.kernel,
        padding=layer.padding,
        groups=layer.groups if isinstance(layer, ConvolutionSpec) else 1,
    )


def shape_behind(layer: ImageSpec | FlattenSpec, shape: Shape) -> Shape:
    """Shape of the output for images of ``shape``."""
    if isinstance(layer, FlattenSpec):
        return (math.prod(shape),)
    windows = windows_of(layer, shape)
    channels = layer.units if isinstance(layer, ConvolutionSpec) else windows.channels
    return channels, windows.rows, windows.columns


def check_image(layer: ImageSpec | FlattenSpec, shape: Shape, fail: Fail) -> None:
    """Refuse a layer whose windows or lanes do not fit an image of ``shape``."""
    if len(shape) != 3:
        fail(f"type must not be {layer.type!r} behind a vector of {math.prod(shape)}", "type")
    if isinstance(layer, FlattenSpec):
        return
    if isinstance(layer, AveragePoolSpec) and layer.kernel is None and layer.stride is not None:
        fail(
            f"stride must be left out without a kernel, not {layer.stride}: the window is the"
            " image",
            "stride",
        )
    try:
        windows = windows_of(layer, shape)
    except RangeError as error:
        fail(str(error), str(error).split()[0])
    if isinstance(layer, MaxPoolSpec):
        if windows.channels % layer.hardware.lanes:
            fail(
                f"lanes must divide {windows.channels} channels, not {layer.hardware.lanes}",
                "hardware.lanes",
            )
    elif isinstance(layer, AveragePoolSpec):
        _check_simd(windows, layer.hardware.simd, fail, "hardware.simd")
    elif layer.units % layer.groups:
        fail(f"groups must divide {layer.units} units, not {layer.groups}", "groups")


def check_convolution_folding(
    layer: ConvolutionSpec, shape: Shape, hardware: HardwareSpec, fail: Fail, path: str
) -> None:
    """Refuse a folding that does not fit; ``path`` is its key."""
    each = layer.units // layer.groups
    if each % hardware.rows:
        what = "units" if layer.groups == 1 else "units of a group"
        fail(f"rows must divide {each} {what}, not {hardware.rows}", f"{path}.rows")
    _check_simd(windows_of(layer, shape), hardware.simd, fail, f"{path}.simd")
    if hardware.pad:
        fail("pad must be false: images have no idle lanes", f"{path}.pad")


def _check_simd(windows: Windows, simd: int, fail: Fail, path: str) -> None:
    if simd not in (choices := windows.simd_choices()):
        fail(
            f"simd must be one of {choices} (part of a pixel, pixels of a row of the window, or"
            f" the window), not {simd}",
            path,
        )
