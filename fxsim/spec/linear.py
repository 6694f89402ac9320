"""Fully connected layers."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import field_validator

from fxsim.spec.common import (
    AccumulatorSpec,
    HardwareSpec,
    RequantizeSpec,
    Shape,
    check_affine,
)
from fxsim.spec.formats import Fail, OutputSpec, Size, signed_by_nonlinearity
from fxsim.spec.kind import Context, Kind, Matrix
from fxsim.spec.nonlinearity import Name
from fxsim.spec.weights import WeightsSpec


class LinearSpec(Kind):
    """A fully connected layer; without ``output`` raw accumulators leave the network.

    With ``batch_norm`` training normalises before the nonlinearity, over all steps of a sequence;
    quantization folds it into bias and multipliers.
    """

    type: Literal["linear"]
    units: Size
    weights: WeightsSpec = WeightsSpec()
    batch_norm: bool = False
    nonlinearity: Name = "none"
    output: OutputSpec | None = None
    accumulator: AccumulatorSpec = AccumulatorSpec()
    requantize: RequantizeSpec = RequantizeSpec()
    hardware: HardwareSpec | None = None

    _signed = field_validator("output")(signed_by_nonlinearity)

    dense: ClassVar[bool] = True

    def shape_out(self, *shapes: Shape) -> Shape:
        """A vector of ``units``."""
        return (self.units,)

    @property
    def tail(self) -> LinearSpec:
        """Its own keys."""
        return self

    def matrices(self, shape: Shape) -> tuple[Matrix, ...]:
        """The layer itself."""
        return (
            Matrix(
                spec=self,
                outputs=self.units,
                inputs=shape[0],
                letter="F",
                hardware=self.hardware,
                gain=self.batch_norm,
            ),
        )

    def with_levels(self, levels: int) -> Self:
        """Copy with symmetric weights of ``levels`` levels."""
        return self.model_copy(update={"weights": self.weights.with_levels(levels)})

    def check(self, context: Context, fail: Fail) -> None:
        """Refuse an image, and keys that do not go together."""
        self.needs_vector(context, fail)
        check_affine(self, fail, rounder=context.rounder)
