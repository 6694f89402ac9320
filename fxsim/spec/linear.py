"""Fully connected layers."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import field_validator

from fxsim.spec.common import (
    AccumulatorSpec,
    HardwareSpec,
    RequantizeSpec,
    Shape,
    WeightsSpec,
    check_affine,
)
from fxsim.spec.formats import Fail, OutputSpec, Size, signed_by_nonlinearity
from fxsim.spec.kind import Context, Kind, Matrix


class LinearSpec(Kind):
    """A fully connected layer; without ``output`` (last layer only) it yields raw accumulators.

    With ``batch_norm`` training normalises before the nonlinearity; quantization folds it into bias
    and multipliers. Only networks without an LSTM layer may have it.
    """

    type: Literal["linear"]
    units: Size
    weights: WeightsSpec = WeightsSpec()
    batch_norm: bool = False
    nonlinearity: Literal["none", "relu"] = "none"
    output: OutputSpec | None = None
    accumulator: AccumulatorSpec = AccumulatorSpec()
    requantize: RequantizeSpec = RequantizeSpec()
    hardware: HardwareSpec | None = None

    _signed = field_validator("output")(signed_by_nonlinearity)

    dense: ClassVar[bool] = True

    def shape_out(self, shape: Shape) -> Shape:
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
        """The same layer with symmetric weights of ``levels`` levels."""
        return self.model_copy(update={"weights": self.weights.with_levels(levels)})

    def check(self, context: Context, fail: Fail) -> None:
        """Refuse an image, and keys that do not go together."""
        self.needs_vector(context.shape, fail)
        check_affine(self, fail, raw=context.raw, recurrent=context.recurrent)
