"""Convolutions and pools: real weights, biases and scales -> integers."""

from __future__ import annotations

import numpy as np

from fxsim.arithmetic.formats import IntFormat
from fxsim.errors import RangeError
from fxsim.floats.forward import convolution
from fxsim.network import (
    Activation,
    FloatArray,
    Folding,
    IntArray,
    MaxPool,
    QuantizedConvolution,
    QuantizedLinear,
    Windows,
)
from fxsim.quantizer.linear import quantize_product
from fxsim.quantizer.requantize import accumulator_of, mean_requantizer
from fxsim.quantizer.weight import rounded_quotient
from fxsim.spec.images import windows_of
from fxsim.spec.layers import AccumulatorSpec
from fxsim.spec.specification import AveragePoolSpec, ConvolutionSpec, MaxPoolSpec, NetworkSpec

_IMAGES = 16
"""Images whose windows are held at a time."""


def quantize_convolution(
    spec: NetworkSpec,
    index: int,
    weight: IntArray,
    scale: FloatArray,
    real_bias: FloatArray,
    source: Activation,
    x: IntArray,
) -> tuple[QuantizedConvolution, IntArray]:
    """Quantize one convolution; returns it with the calibration samples that leave it."""
    layer = spec.layers[index]
    assert isinstance(layer, ConvolutionSpec)
    windows = windows_of(layer, spec.layer_shape(index))
    # Pixels outside the image are real 0, so sums of x - zero point have zeros there.
    sums = _sums(windows, weight, x - source.zero_point)
    sums += source.zero_point * weight.sum(axis=1)
    wanted = spec.layer_products(index)[0]
    product, leaving = quantize_product(spec, wanted, weight, scale, real_bias, source, sums)
    quantized = QuantizedConvolution(product=product, windows=windows)
    return quantized, leaving.reshape(len(x), -1)


def quantize_pool(
    spec: NetworkSpec, index: int, source: Activation, x: IntArray
) -> tuple[MaxPool | QuantizedConvolution, IntArray]:
    """Take one pool to integers; returns it with the calibration samples that leave it.

    The average of n pixels is a convolution with weights of 1 and a multiplier for 1 / n that is
    exact for every sum (`fxsim.quantizer.requantize.mean_requantizer`).
    """
    layer, name = spec.layers[index], spec.layer_name(index)
    assert isinstance(layer, MaxPoolSpec | AveragePoolSpec)
    windows = windows_of(layer, spec.layer_shape(index))
    if isinstance(layer, MaxPoolSpec):
        seen = windows.gather(x, source.format.min)
        seen = seen.reshape(len(x), windows.places, -1, windows.channels)
        pool = MaxPool(name=name, input=source, windows=windows, lanes=layer.hardware.lanes)
        return pool, seen.max(axis=2).reshape(len(x), -1)
    return _average(spec, index, layer, windows, source, x)


def _average(
    spec: NetworkSpec,
    index: int,
    layer: AveragePoolSpec,
    windows: Windows,
    source: Activation,
    x: IntArray,
) -> tuple[QuantizedConvolution, IntArray]:
    name, rounding, count = spec.layer_name(index), spec.layer_rounding(index), windows.size
    weight = np.ones((windows.channels, count), np.int64)
    none = np.zeros(windows.channels, np.int64)
    bias, accumulator = accumulator_of(name, weight, none, source, AccumulatorSpec())
    low, high = (
        count * (end - source.zero_point) for end in (source.format.min, source.format.max)
    )
    try:
        requantizer = mean_requantizer(count, low, high, rounding)
    except RangeError as error:
        raise RangeError(f"{name}: {error}") from None
    product = QuantizedLinear(
        name=name,
        weight=weight,
        weight_format=IntFormat.for_levels(3),
        weight_scale=np.array([1 / count]),
        bias=bias,
        input=source,
        accumulator=accumulator,
        requantizer=requantizer,
        relu=False,
        output=source,
        folding=Folding(rows=1, simd=layer.hardware.simd),
    )
    sums = _sums(windows, weight, x - source.zero_point).astype(np.int64)
    leaving = rounded_quotient(sums, count, rounding) + source.zero_point
    return QuantizedConvolution(product=product, windows=windows), leaving.reshape(len(x), -1)


def _sums(windows: Windows, weight: IntArray, x: IntArray) -> FloatArray:
    """Sums (n * places, outputs) over windows; exact, being below 2**53."""
    parts = [
        convolution(windows, weight.astype(np.float64), x[k : k + _IMAGES].astype(np.float64))
        for k in range(0, len(x), _IMAGES)
    ]
    return np.concatenate(parts).reshape(-1, len(weight))
