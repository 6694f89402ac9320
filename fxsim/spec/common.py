"""Parts of layers that several kinds have: their keys, defaults and ranges, and their checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Protocol, Self

from pydantic import Field

from fxsim.arithmetic.formats import AccumulatorMode, MemoryStyle, Overflow, Rounding
from fxsim.spec.formats import Fail, Model, OutputSpec, ProjectedSpec, Size, check_format, under
from fxsim.spec.nonlinearity import Name, check_nonlinearity
from fxsim.spec.weights import GateWeightsSpec, WeightsSpec, check_weights

Shape = tuple[int, ...]
"""Shape between layers: (items,), or (channels, height, width)."""


class AccumulatorSpec(Model):
    """Overflow of the accumulator; ``bits`` is given for wrap and saturate, proven for wide."""

    overflow: AccumulatorMode = AccumulatorMode.WIDE
    bits: Annotated[int, Field(ge=2, le=62)] | None = None


class RequantizeSpec(Model):
    """Accumulator to activation: multiplier word length (0: a plain shift), overflow, rounding."""

    multiplier_bits: Annotated[int, Field(ge=0, le=32)] = 16
    overflow: Overflow = Overflow.SATURATE
    rounding: Rounding | None = None


class GateRequantizeSpec(Model):
    """Accumulator to pre-activation: multiplier word length, and rounding there and in the cell."""

    multiplier_bits: Annotated[int, Field(ge=1, le=32)] = 16
    rounding: Rounding | None = None

    @property
    def overflow(self) -> Overflow:
        """Overflow of the pre-activation, whose tables are flat at both ends."""
        return Overflow.SATURATE


class HardwareSpec(Model):
    """Folding: output lanes (``rows``) and input lanes (``simd``) of the MAC array.

    Both must divide the layer, unless ``pad`` fills the last tile and beat with idle lanes. ``dsp``
    is whether multipliers are meant for DSP blocks or for LUTs; codes without one ignore it.
    ``memory`` is what the weight memory is made of.
    """

    rows: Size = 1
    simd: Size = 1
    pad: bool = False
    dsp: bool = True
    memory: MemoryStyle = MemoryStyle.AUTO


class LanesSpec(Model):
    """Integers that a layer without weights takes at a time; they divide the channels or items."""

    lanes: Size = 1


class ProductSpec(Protocol):
    """Keys that say how the weights of a matrix product are quantized: a layer, or a part of it."""

    @property
    def weights(self) -> WeightsSpec | GateWeightsSpec: ...
    @property
    def output(self) -> Model | None: ...
    @property
    def requantize(self) -> RequantizeSpec | GateRequantizeSpec: ...
    def model_copy(self, *, update: Mapping[str, Any] | None = None) -> Self: ...


class Tail(Protocol):
    """Keys that say how sums become what leaves a layer: a layer, or a part of it.

    Without an ``output`` they leave as they are, raw accumulators.
    """

    @property
    def nonlinearity(self) -> Name: ...
    @property
    def output(self) -> OutputSpec | ProjectedSpec | None: ...
    @property
    def requantize(self) -> RequantizeSpec: ...


class AffineSpec(Tail, Protocol):
    """A matrix product and its tail: fully connected layers, convolutions and projections."""

    @property
    def weights(self) -> WeightsSpec: ...
    @property
    def accumulator(self) -> AccumulatorSpec: ...


class AffineLayerSpec(AffineSpec, Protocol):
    """A layer that is a matrix product with a tail."""

    @property
    def batch_norm(self) -> bool: ...
    @property
    def output(self) -> OutputSpec | None: ...


def check_product(layer: AffineSpec, fail: Fail) -> None:
    """Constraints between the keys of a matrix product with a requantizer of its own."""
    check_weights(layer.weights, fail)
    accumulator = layer.accumulator
    if (accumulator.overflow is AccumulatorMode.WIDE) != (accumulator.bits is None):
        fail(
            f"bits must be {'left out' if accumulator.bits else 'given'} when overflow is"
            f" {accumulator.overflow}",
            "accumulator.bits",
        )
    if layer.weights.per == "channel" and layer.requantize.multiplier_bits == 0:
        fail(
            "per must be 'tensor' with a plain shift (multiplier_bits: 0): all channels share"
            " one scale ratio",
            "weights.per",
        )


def check_affine(layer: AffineLayerSpec, fail: Fail, *, rounder: str | None) -> None:
    """Constraints between the keys of a fully connected layer or a convolution.

    ``rounder`` is the layer after it that takes no raw accumulators, if there is one.
    """
    check_product(layer, fail)
    if layer.output is not None:
        check_format(layer.output, layer.requantize.overflow, under(fail, "output"))
        check_nonlinearity(layer.nonlinearity, layer.requantize.overflow, fail)
    elif rounder is not None:
        fail(f"output is missing: {rounder!r} takes no raw accumulators", "output")
    elif layer.nonlinearity != "none":
        fail("output must be given with a nonlinearity", "output")
    elif layer.weights.per == "channel":
        fail(
            "per must be 'tensor' without an output: raw accumulators need one common scale",
            "weights.per",
        )
    else:
        _check_raw(layer.requantize, fail)
    if layer.batch_norm:
        _check_batch_norm(layer, fail)


def _check_raw(requantize: RequantizeSpec, fail: Fail) -> None:
    """Refuse keys that raw accumulators make nothing of; a default that is written out is fine."""
    given = dict(requantize)
    for key, default in RequantizeSpec():
        if given[key] != default:
            fail(f"{key} must be left out without an output, not {given[key]}", f"requantize.{key}")


def _check_batch_norm(layer: AffineLayerSpec, fail: Fail) -> None:
    """Refuse a batch normalisation that there is no multiplier for."""
    if layer.output is None:
        fail("batch_norm must be false without an output: it needs multipliers", "batch_norm")
    if layer.requantize.multiplier_bits == 0:
        fail(
            "batch_norm must be false with a plain shift (multiplier_bits: 0): each channel has"
            " its own scale",
            "batch_norm",
        )
    if layer.weights.asymmetric:
        fail(
            "scheme must not be 'asymmetric' with batch_norm, whose gain may turn signs of weights",
            "weights.scheme",
        )


def check_lanes(hardware: LanesSpec, shape: Shape, fail: Fail) -> None:
    """Refuse lanes that do not divide the channels or items of what a layer takes."""
    if shape[0] % hardware.lanes:
        what = "values" if len(shape) == 1 else "channels"
        fail(f"lanes must divide {shape[0]} {what}, not {hardware.lanes}", "hardware.lanes")
