"""Pools: greatest values and means of integers."""

from __future__ import annotations

import numpy as np

from fxsim.arithmetic.codes import TernaryCode
from fxsim.errors import RangeError
from fxsim.network import (
    Activation,
    Folding,
    IntArray,
    MaxPool,
    QuantizedConvolution,
    QuantizedLinear,
)
from fxsim.quantizer.convolution import window_sums
from fxsim.quantizer.requantize import accumulator_of, mean_tail
from fxsim.quantizer.weight import rounded_quotient
from fxsim.spec.common import AccumulatorSpec
from fxsim.spec.specification import AveragePoolSpec, MaxPoolSpec, NetworkSpec


def quantize_max_pool(
    spec: NetworkSpec, index: int, layer: MaxPoolSpec, source: Activation, x: IntArray
) -> tuple[MaxPool, IntArray]:
    """Take one max pool to integers; returns it with the calibration samples that leave it."""
    name, windows = spec.layer_name(index), layer.windows(spec.layer_shape(index))
    seen = windows.gather(x, source.format.min)
    seen = seen.reshape(len(x), windows.places, -1, windows.channels)
    pool = MaxPool(name=name, input=source, windows=windows, lanes=layer.hardware.lanes)
    return pool, seen.max(axis=2).reshape(len(x), -1)


def quantize_average_pool(
    spec: NetworkSpec, index: int, layer: AveragePoolSpec, source: Activation, x: IntArray
) -> tuple[QuantizedConvolution, IntArray]:
    """Take one average pool to integers; returns it with the calibration samples that leave it.

    The average of n pixels is a convolution with weights of 1 and a multiplier for 1 / n that is
    exact for every sum (`fxsim.quantizer.requantize.mean_tail`).
    """
    windows = layer.windows(spec.layer_shape(index))
    name, rounding, count = spec.layer_name(index), spec.layer_rounding(index), windows.size
    weight = np.ones((windows.channels, count), np.int64)
    none = np.zeros(windows.channels, np.int64)
    bias, accumulator = accumulator_of(name, weight, none, source, AccumulatorSpec())
    low, high = (
        count * (end - source.zero_point) for end in (source.format.min, source.format.max)
    )
    try:
        tail = mean_tail(count, low, high, rounding)
    except RangeError as error:
        raise RangeError(f"{name}: {error}") from None
    product = QuantizedLinear(
        name=name,
        weight=weight,
        code=TernaryCode(),
        weight_scale=np.array([1 / count]),
        bias=bias,
        input=source,
        accumulator=accumulator,
        tail=tail,
        output=source,
        folding=Folding(rows=1, simd=layer.hardware.simd),
    )
    sums = window_sums(windows, weight, x - source.zero_point).astype(np.int64)
    leaving = rounded_quotient(sums, count, rounding) + source.zero_point
    return QuantizedConvolution(product=product, windows=windows), leaving.reshape(len(x), -1)
