"""Fully connected layers: real weights, biases and scales -> integers.

What `fxsim.quantize_lstm` and `fxsim.quantize` share stands here too.
"""

from __future__ import annotations

import math

import numpy as np

from fxsim.errors import RangeError
from fxsim.formats import MAX_BITS, AccumulatorMode, IntFormat, Overflow, Rounding
from fxsim.network import (
    Accumulator,
    Activation,
    FloatArray,
    Folding,
    IntArray,
    QuantizedLinear,
    Requantizer,
    accumulator_bounds,
)
from fxsim.quantize_activation import integers
from fxsim.quantize_scale import calibrated_output
from fxsim.quantize_weight import round_real
from fxsim.spec import (
    ConvolutionSpec,
    LinearSpec,
    NetworkSpec,
    Product,
    ProjectionSpec,
    RequantizeSpec,
)
from fxsim.spec_layers import AccumulatorSpec, GateRequantizeSpec


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
    bias, accumulator = accumulator_of(name, weight, real_bias / unit, source, layer.accumulator)
    real = unit * (sums + bias)
    relu = not isinstance(layer, ProjectionSpec) and layer.nonlinearity == "relu"
    if relu:
        real = np.maximum(real, 0.0)
    if layer.output is None:
        requantizer, leaving = None, np.zeros(0, np.int64)
        output = Activation(format=accumulator.format, scale=float(unit[0]))
    else:
        rounding = layer.requantize.rounding or spec.rounding
        output = calibrated_output(name, real, layer.output, layer.requantize, rounding, unit)
        requantizer = requantizer_of(name, unit / output.scale, layer.requantize, rounding)
        leaving = integers(real, output, rounding, layer.requantize.overflow)
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


def accumulator_of(
    name: str, weight: IntArray, ratio: FloatArray, source: Activation, wanted: AccumulatorSpec
) -> tuple[IntArray, Accumulator]:
    """Integer bias, and the accumulator; ``ratio`` is the real bias in units of the accumulator."""
    if np.abs(ratio).max() >= 1 << MAX_BITS:
        raise RangeError(f"{name}: bias must fit {MAX_BITS} bits in units of the accumulator")
    bias = round_real(ratio, Rounding.TIES_AWAY) - source.zero_point * weight.sum(axis=1)
    mode, bits = wanted.overflow, wanted.bits
    if bits is not None:
        fmt = IntFormat(bits=bits, signed=True)
        return np.clip(bias, fmt.min, fmt.max), Accumulator(format=fmt, mode=mode)
    low, high = accumulator_bounds(weight, bias, source.format)
    if max(high, -low - 1).bit_length() >= MAX_BITS:
        raise RangeError(f"{name}: accumulator must fit {MAX_BITS} bits to hold {low} to {high}")
    fmt = IntFormat.spanning(low, high, signed=True)
    return bias, Accumulator(format=fmt, mode=AccumulatorMode.WIDE)


def requantizer_of(
    name: str, ratio: FloatArray, wanted: RequantizeSpec | GateRequantizeSpec, rounding: Rounding
) -> Requantizer:
    """Multipliers and their common shift, as large as ``multiplier_bits`` allows."""
    bits = wanted.multiplier_bits
    overflow = wanted.overflow if isinstance(wanted, RequantizeSpec) else Overflow.SATURATE
    if bits == 0:
        shift, multiplier = 1 - math.frexp(ratio[0])[1], np.ones(1, dtype=np.int64)
    else:
        limit, top = (1 << bits) - 0.5, float(ratio.max())
        if top >= limit:
            raise RangeError(
                f"{name}: multiplier_bits must be at least {int(top + 0.5).bit_length()} for a"
                f" scale ratio of {top:g}, not {bits}"
            )
        shift = max(s for s in range(MAX_BITS + 1) if np.ldexp(top, s) < limit)
        multiplier = round_real(np.ldexp(ratio, shift), Rounding.TIES_AWAY)
    return Requantizer(
        multiplier=multiplier,
        multiplier_bits=bits,
        shift=shift,
        rounding=rounding,
        overflow=overflow,
    )
