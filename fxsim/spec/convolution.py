"""Convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import field_validator

from fxsim.arithmetic.windows import Windows
from fxsim.spec.common import (
    AccumulatorSpec,
    HardwareSpec,
    RequantizeSpec,
    Shape,
    check_affine,
)
from fxsim.spec.formats import Fail, OutputSpec, Size, signed_by_nonlinearity
from fxsim.spec.images import ImageKind, check_simd
from fxsim.spec.kind import Context, Matrix, Product
from fxsim.spec.nonlinearity import Name
from fxsim.spec.sides import PaddingChoice, Sides, both, padding_of
from fxsim.spec.weights import WeightsSpec


class ConvolutionSpec(ImageKind):
    """A convolution; without ``output`` raw accumulators leave the network.

    ``kernel`` and ``stride`` are one number or two, down and across; ``padding`` is that of every
    side, a mapping by side, or ``same``. Images one pixel wide make it one-dimensional. Output
    channels are ``units``. With ``batch_norm`` training normalises before the nonlinearity;
    quantization folds it into bias and multipliers.
    """

    type: Literal["convolution"]
    units: Size
    kernel: Sides
    stride: Sides = 1
    padding: PaddingChoice = 0
    groups: Size = 1
    weights: WeightsSpec = WeightsSpec()
    batch_norm: bool = False
    nonlinearity: Name = "none"
    output: OutputSpec | None = None
    accumulator: AccumulatorSpec = AccumulatorSpec()
    requantize: RequantizeSpec = RequantizeSpec()
    hardware: HardwareSpec | None = None

    _signed = field_validator("output")(signed_by_nonlinearity)

    def windows(self, shape: Shape) -> Windows:
        """Windows of the kernel on an image of ``shape``."""
        channels, height, width = shape
        kernel, stride = both(self.kernel), both(self.stride)
        return Windows(
            channels=channels,
            height=height,
            width=width,
            kernel=kernel,
            stride=stride,
            padding=padding_of(self.padding, (height, width), kernel, stride),
            groups=self.groups,
        )

    def shape_out(self, *shapes: Shape) -> Shape:
        """An image of ``units`` channels."""
        windows = self.windows(*shapes)
        return self.units, windows.rows, windows.columns

    @property
    def tail(self) -> ConvolutionSpec:
        """Its own keys."""
        return self

    def matrices(self, shape: Shape) -> tuple[Matrix, ...]:
        """The layer itself; a product takes a window."""
        windows = self.windows(shape)
        return (
            Matrix(
                spec=self,
                outputs=self.units,
                inputs=windows.size,
                letter="C",
                hardware=self.hardware,
                gain=self.batch_norm,
                window=(windows.group_channels, *windows.kernel),
            ),
        )

    def with_levels(self, levels: int) -> Self:
        """Copy with symmetric weights of ``levels`` levels."""
        return self.model_copy(update={"weights": self.weights.with_levels(levels)})

    def check_windows(self, windows: Windows, context: Context, fail: Fail) -> None:
        """Refuse groups that do not fit, and keys that do not go together."""
        if self.units % self.groups:
            fail(f"groups must divide {self.units} units, not {self.groups}", "groups")
        check_affine(self, fail, rounder=context.rounder)

    def check_folding(self, shape: Shape, products: Sequence[Product], fail: Fail) -> None:
        """Refuse rows that cross groups, and input lanes that do not divide a window."""
        each, windows = self.units // self.groups, self.windows(shape)
        for product in products:
            folding, path = product.hardware, product.path
            if each % folding.rows:
                what = "units" if self.groups == 1 else "units of a group"
                fail(f"rows must divide {each} {what}, not {folding.rows}", f"{path}.rows")
            check_simd(windows, folding.simd, fail, f"{path}.simd")
            if folding.pad:
                fail("pad must be false: images have no idle lanes", f"{path}.pad")
