"""Adds: scales -> integers."""

from __future__ import annotations

import numpy as np

from fxsim.arithmetic.formats import IntFormat
from fxsim.network import Activation, IntArray, QuantizedAdd, add_bounds
from fxsim.quantizer.activation import integers
from fxsim.quantizer.requantize import requantizer_of, tell_coarse
from fxsim.quantizer.scale import calibrated_output
from fxsim.spec.specification import AddSpec, NetworkSpec


def quantize_add(
    spec: NetworkSpec,
    index: int,
    layer: AddSpec,
    operands: tuple[Activation, Activation],
    x: IntArray,
    y: IntArray,
) -> tuple[QuantizedAdd, IntArray]:
    """Quantize one add; returns it with the calibration samples that leave it.

    Parameters
    ----------
    operands : tuple of Activation
        Of what the layer before yields, and of what the shortcut starts from.
    x, y : int64 array, shape (n, items)
        Calibration samples of either.
    """
    name = spec.layer_name(index)
    first, second = operands
    real = first.scale * (x - first.zero_point) + second.scale * (y - second.zero_point)
    if layer.relu:
        real = np.maximum(real, 0.0)
    rounding = spec.layer_rounding(index)
    scales = np.array([first.scale, second.scale])
    output = calibrated_output(name, real, layer.output, layer.requantize, rounding, scales)
    ratio = scales / output.scale
    requantizer = requantizer_of(name, ratio, layer.requantize, rounding)
    if layer.requantize.multiplier_bits:
        reach = [max(a.format.max - a.zero_point, a.zero_point - a.format.min) for a in operands]
        span = 1 << output.format.bits
        tell_coarse(name, ratio, np.array(reach, np.float64), requantizer, span)
    multipliers = (int(requantizer.multiplier[0]), int(requantizer.multiplier[1]))
    quantized = QuantizedAdd(
        name=name,
        shape=spec.layer_shape(index),
        summands=operands,
        requantizer=requantizer,
        accumulator=IntFormat.spanning(*add_bounds(multipliers, operands), signed=True),
        relu=layer.relu,
        output=output,
        lanes=layer.hardware.lanes,
    )
    return quantized, integers(real, output, rounding, layer.requantize.overflow)


def start_name(spec: NetworkSpec, index: int) -> str:
    """Name in the network of what a layer yields: one that flattens is none there."""
    while index >= 0 and not spec.layers[index].in_hardware:
        index -= 1
    return "input" if index < 0 else spec.layer_name(index)
