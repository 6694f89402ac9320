"""Convolutions: real weights, biases and scales -> integers."""

from __future__ import annotations

import numpy as np

from fxsim.floats.forward import convolution
from fxsim.network import Activation, FloatArray, IntArray, QuantizedConvolution, Windows
from fxsim.quantizer.linear import quantize_product
from fxsim.spec.specification import ConvolutionSpec, NetworkSpec

_IMAGES = 16
"""Images whose windows are held at a time."""


def quantize_convolution(
    spec: NetworkSpec,
    index: int,
    layer: ConvolutionSpec,
    weight: IntArray,
    scale: FloatArray,
    real_bias: FloatArray,
    source: Activation,
    x: IntArray,
) -> tuple[QuantizedConvolution, IntArray]:
    """Quantize one convolution; returns it with the calibration samples that leave it."""
    windows = layer.windows(spec.layer_shape(index))
    # Pixels outside the image are real 0, so sums of x - zero point have zeros there.
    sums = window_sums(windows, weight, x - source.zero_point)
    sums += source.zero_point * weight.sum(axis=1)
    wanted = spec.layer_products(index)[0]
    product, leaving = quantize_product(spec, wanted, layer, weight, scale, real_bias, source, sums)
    quantized = QuantizedConvolution(product=product, windows=windows)
    return quantized, leaving.reshape(len(x), -1)


def window_sums(windows: Windows, weight: IntArray, x: IntArray) -> FloatArray:
    """Sums (n * places, outputs) over windows; exact, being below 2**53."""
    parts = [
        convolution(windows, weight.astype(np.float64), x[k : k + _IMAGES].astype(np.float64))
        for k in range(0, len(x), _IMAGES)
    ]
    return np.concatenate(parts).reshape(-1, len(weight))
