"""Fully connected layers: real weights, biases and scales -> integers.

What `fxsim.quantizer.lstm` and `fxsim.quantizer` share stands here too.
"""

from __future__ import annotations

import numpy as np

from fxsim.arithmetic.formats import Overflow
from fxsim.network import Activation, FloatArray, Folding, IntArray, QuantizedLinear
from fxsim.quantizer.activation import integers
from fxsim.quantizer.requantize import accumulator_of, integer_bias, limited, requantized
from fxsim.quantizer.scale import calibrated_output
from fxsim.spec.common import AffineSpec
from fxsim.spec.kind import Product
from fxsim.spec.nonlinearity import LIMITS
from fxsim.spec.specification import NetworkSpec


def quantize_linear(
    spec: NetworkSpec,
    product: Product,
    layer: AffineSpec,
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
    return quantize_product(spec, product, layer, weight, scale, real_bias, source, sums)


def quantize_product(
    spec: NetworkSpec,
    product: Product,
    layer: AffineSpec,
    weight: IntArray,
    scale: FloatArray,
    real_bias: FloatArray,
    source: Activation,
    sums: FloatArray,
) -> tuple[QuantizedLinear, IntArray]:
    """Quantize a matrix product; ``sums``, shape (n, outputs), lack only the bias.

    Returns it with what leaves it for these sums, of the same shape. ``layer`` is a layer, or the
    projection of one.
    """
    name = product.name
    unit = scale * source.scale  # real value of 1 in the accumulator
    real = unit * (sums - source.zero_point * weight.sum(axis=1)) + real_bias
    limits = LIMITS[layer.nonlinearity]
    real = np.clip(real, *limits)
    if layer.output is None:
        whole = integer_bias(name, real_bias / unit)
        bias, accumulator = accumulator_of(name, weight, whole, source, layer.accumulator)
        tail, leaving = None, np.zeros(0, np.int64)
        output = Activation(format=accumulator.format, scale=float(unit[0]))
    else:
        rounding, overflow = layer.requantize.rounding or spec.rounding, layer.requantize.overflow
        output = calibrated_output(name, real, layer.output, layer.requantize, rounding, unit)
        bias, accumulator, tail = requantized(
            name,
            weight,
            source,
            unit,
            real_bias,
            output.scale,
            accumulator=layer.accumulator,
            requantize=layer.requantize,
            rounding=rounding,
            span=1 << output.format.bits,
            saturates=overflow is Overflow.SATURATE,
            relu=limits[0] == 0,
        )
        tail = limited(tail, limits[1], output)
        leaving = integers(real, output, rounding, overflow)
    quantized = QuantizedLinear(
        name=name,
        weight=weight,
        code=layer.weights.code,
        weight_scale=scale,
        bias=bias,
        input=source,
        accumulator=accumulator,
        tail=tail,
        output=output,
        folding=Folding(**product.hardware.model_dump()),
    )
    return quantized, leaving
