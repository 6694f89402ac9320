"""Outputs of layers, side by side."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from pydantic import Field

from fxsim.arithmetic.formats import Rounding
from fxsim.spec.common import LanesSpec, RequantizeSpec, Shape, check_lanes
from fxsim.spec.formats import Fail, OutputSpec, check_format, under
from fxsim.spec.kind import Context, Kind, left_out


class ConcatSpec(Kind):
    """The channels of two images or more, the ``sources``, or the items of vectors.

    Sources of one format and scale pass as they are. Others are rescaled to a common one:
    ``output``, or of the most bits that a source has, signed if one is, if left out.
    """

    type: Literal["concat"]
    output: OutputSpec | None = Field(default=None, exclude_if=left_out)
    requantize: RequantizeSpec = RequantizeSpec()
    hardware: LanesSpec = LanesSpec()

    joins: ClassVar[bool] = True
    side_by_side: ClassVar[bool] = True

    def shape_out(self, *shapes: Shape) -> Shape:
        """All channels or items."""
        return sum(shape[0] for shape in shapes), *shapes[0][1:]

    @property
    def alike(self) -> RequantizeSpec:
        """Its own key."""
        return self.requantize

    @property
    def own_rounding(self) -> Rounding | None:
        """Rounding of what is rescaled, if it is not that of the network."""
        return self.requantize.rounding

    def bits_out(self, *bits: int) -> int:
        """Word length of the output."""
        return max(bits) if self.output is None else self.output.bits

    def check_operands(self, context: Context, fail: Fail) -> None:
        """Refuse a single operand."""
        names = context.sources
        if len(names) < 2:
            fail(f"concat needs 2 sources or more, not {names[0]!r} alone", self.sources_key)

    def check(self, context: Context, fail: Fail) -> None:
        """Refuse images of different sizes or next to vectors, and lanes that do not divide."""
        first, *others = zip(context.sources, context.shapes, strict=True)
        for name, shape in others:
            if len(shape) != len(first[1]) or shape[1:] != first[1][1:]:
                fail(
                    f"{name!r} must have the height and width of {first[0]!r},"
                    f" {_size(first[1])}, not {_size(shape)}",
                    self.sources_key,
                )
        if self.output is not None:
            check_format(self.output, self.requantize.overflow, under(fail, "output"))
        if self.requantize.multiplier_bits == 0:
            fail(
                "multiplier_bits must be at least 1, not 0: each scale needs a multiplier",
                "requantize.multiplier_bits",
            )
        channels = math.gcd(*(shape[0] for shape in context.shapes))
        check_lanes(self.hardware, (channels, *context.shape[1:]), fail)


def _size(shape: Shape) -> str:
    """Height and width of an image, or what a vector is."""
    return " x ".join(map(str, shape[1:])) if len(shape) == 3 else f"a vector of {shape[0]}"
