"""Activations in another format."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import field_validator

from fxsim.spec.common import LanesSpec, RequantizeSpec, Shape, check_lanes
from fxsim.spec.formats import Fail, OutputSpec, check_format, signed_by_nonlinearity, under
from fxsim.spec.kind import Context, Kind
from fxsim.spec.nonlinearity import Name, check_nonlinearity


class RescaleSpec(Kind):
    """Activations in another format and scale; with ``relu`` also 0 for what is negative."""

    type: Literal["rescale"]
    nonlinearity: Name = "none"
    output: OutputSpec
    requantize: RequantizeSpec = RequantizeSpec()
    hardware: LanesSpec = LanesSpec()

    _signed = field_validator("output")(signed_by_nonlinearity)

    elementwise: ClassVar[bool] = True

    def shape_out(self, *shapes: Shape) -> Shape:
        """Word length of its operand."""
        return shapes[0]

    @property
    def tail(self) -> RescaleSpec:
        """Its own keys."""
        return self

    def check(self, context: Context, fail: Fail) -> None:
        """Refuse a format that cannot be, and lanes that do not divide the channels."""
        check_format(self.output, self.requantize.overflow, under(fail, "output"))
        check_nonlinearity(self.nonlinearity, self.requantize.overflow, fail)
        check_lanes(self.hardware, context.shape, fail)
