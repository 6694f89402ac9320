"""Fully connected layers: real weights, biases and scales -> integers.

What `fxsim.quantize_lstm` and `fxsim.quantize` share stands here too.
"""

from __future__ import annotations

import math

import numpy as np

from fxsim.formats import MAX_BITS, Overflow, Rounding
from fxsim.network import Activation, FloatArray, Folding, IntArray, QuantizedLinear
from fxsim.quantize_requantizer import accumulator_of, integer_bias, requantized, within
from fxsim.quantize_weight import round_real
from fxsim.spec import (
    ConvolutionSpec,
    LinearSpec,
    NetworkSpec,
    Product,
    ProjectionSpec,
    RequantizeSpec,
)
from fxsim.spec_layers import FormatSpec, ProjectedSpec

_BELOW_HALF = math.nextafter(0.5, 0.0)

_FRACTIONS = np.arange(64, 1, -1) / 64
"""Output scales that calibration tries, as fractions of the one that just avoids clipping. They
are exact, for the same scale on every machine; so is everything else here but sums of errors."""


_VALUES = 1 << 18
"""About as many values of images as a scale is calibrated on at most."""


def round_in_place(value: FloatArray, rounding: Rounding) -> None:
    """`round_real` without the way to integers, which takes most of its time."""
    match rounding:
        case Rounding.FLOOR:
            np.floor(value, out=value)
        case Rounding.TO_ZERO:
            np.trunc(value, out=value)
        case Rounding.TIES_EVEN:
            np.rint(value, out=value)
        case Rounding.TIES_AWAY:
            # The greatest number below a half: 0.5 is rounded up by the addition, what is less not.
            value += np.copysign(_BELOW_HALF, value)
            np.trunc(value, out=value)
        case Rounding.TIES_POS:
            value[...] = round_real(value, rounding)


def integers(
    real: FloatArray,
    activation: Activation,
    rounding: Rounding,
    overflow: Overflow = Overflow.SATURATE,
) -> IntArray:
    """Round real values to an activation format."""
    fmt, zero = activation.format, activation.zero_point
    with np.errstate(over="ignore"):
        ratio = real / activation.scale
    if overflow is Overflow.SATURATE:
        ratio = np.clip(ratio, fmt.min - zero, fmt.max - zero)
    q = round_real(ratio, rounding) + zero
    return q if overflow is Overflow.SATURATE else (q - fmt.min) % (1 << fmt.bits) + fmt.min


def quantize_linear(
    spec: NetworkSpec,
    product: Product,
    weight: IntArray,
    scale: FloatArray,
    real_bias: FloatArray,
    source: Activation,
    x: IntArray,
) -> tuple[QuantizedLinear, IntArray]:
    """Quantize a fully connected layer, or the projection of an LSTM layer.

    Returns it with the calibration samples that leave it.
    """
    # Integers below 2**53 stay exact in float64, and float64 products are much faster.
    sums = x.astype(np.float64) @ weight.T.astype(np.float64)
    return quantize_product(spec, product, weight, scale, real_bias, source, sums)


def quantize_product(
    spec: NetworkSpec,
    product: Product,
    weight: IntArray,
    scale: FloatArray,
    real_bias: FloatArray,
    source: Activation,
    sums: FloatArray,
) -> tuple[QuantizedLinear, IntArray]:
    """Quantize a matrix product; ``sums``, shape (n, outputs), lack only the bias.

    Returns it with what leaves it for these sums, of the same shape.
    """
    layer, name = product.spec, product.name
    assert isinstance(layer, LinearSpec | ConvolutionSpec | ProjectionSpec)
    unit = scale * source.scale  # real value of 1 in the accumulator
    real = unit * (sums - source.zero_point * weight.sum(axis=1)) + real_bias
    relu = not isinstance(layer, ProjectionSpec) and layer.nonlinearity == "relu"
    if relu:
        real = np.maximum(real, 0.0)
    if layer.output is None:
        whole = integer_bias(name, real_bias / unit)
        bias, accumulator = accumulator_of(name, weight, whole, source, layer.accumulator)
        requantizer, leaving = None, np.zeros(0, np.int64)
        output = Activation(format=accumulator.format, scale=float(unit[0]))
    else:
        rounding, overflow = layer.requantize.rounding or spec.rounding, layer.requantize.overflow
        output = calibrated_output(real, layer.output, layer.requantize, rounding, unit)
        ratio, steps = unit / output.scale, real_bias / output.scale
        span = 1 << output.format.bits
        if overflow is Overflow.SATURATE and layer.requantize.multiplier_bits:
            ratio, steps = within(weight, source, ratio, steps, span)
        bias, accumulator, requantizer = requantized(
            name,
            weight,
            source,
            ratio,
            steps,
            accumulator=layer.accumulator,
            requantize=layer.requantize,
            rounding=rounding,
            span=span,
        )
        leaving = integers(real, output, rounding, overflow)
    quantized = QuantizedLinear(
        name=name,
        weight=weight,
        weight_format=layer.weights.format,
        weight_scale=scale,
        bias=bias,
        input=source,
        accumulator=accumulator,
        requantizer=requantizer,
        relu=relu,
        output=output,
        folding=Folding(**product.hardware.model_dump()),
    )
    return quantized, leaving


def calibrated_output(
    real: FloatArray,
    wanted: FormatSpec | ProjectedSpec,
    requantize: RequantizeSpec,
    rounding: Rounding,
    unit: FloatArray,
) -> Activation:
    """Output format with the scale of least squared error on the calibration samples ``real``.

    ``unit`` is the real value of 1 in the accumulator, for plain shifts.
    """
    fmt = wanted.format
    # An odd step meets every channel; images have more values than a scale needs.
    real = real[:: max(1, real.size // _VALUES) | 1]
    if requantize.multiplier_bits == 0:
        scales = unit[0] * 2.0 ** np.arange(MAX_BITS + 1)
    else:
        peak = float(real.max() if not fmt.signed else np.abs(real).max())
        scales = (peak / max(fmt.max, 1) if peak > 0 else 1.0) * _FRACTIONS

    space = np.empty_like(real)

    def error(scale: float) -> float:
        if requantize.overflow is Overflow.WRAP:
            q = integers(real, Activation(format=fmt, scale=scale), rounding, Overflow.WRAP)
            return float(np.square(real - scale * q).sum())
        with np.errstate(over="ignore"):
            np.divide(real, scale, out=space)
        np.clip(space, fmt.min, fmt.max, out=space)
        round_in_place(space, rounding)
        np.multiply(space, scale, out=space)
        np.subtract(real, space, out=space)
        return float(np.square(space, out=space).sum())

    return Activation(format=fmt, scale=min(map(float, scales), key=error))
