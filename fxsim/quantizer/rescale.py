"""Rescales: scales -> integers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fxsim.arithmetic.formats import Rounding
from fxsim.network import Activation, FloatArray, IntArray, Rescale
from fxsim.quantizer.activation import integers
from fxsim.quantizer.requantize import limited, tail_of, tell_coarse
from fxsim.quantizer.scale import calibrated_output
from fxsim.spec.common import RequantizeSpec, Shape
from fxsim.spec.specification import NetworkSpec, RescaleSpec


def quantize_rescale(
    spec: NetworkSpec, index: int, layer: RescaleSpec, source: Activation, x: IntArray
) -> tuple[Rescale, IntArray]:
    """Quantize one rescale; returns it with the calibration samples that leave it."""
    name, rounding = spec.layer_name(index), spec.layer_rounding(index)
    real: FloatArray = (x - source.zero_point) * np.float64(source.scale)
    real = np.clip(real, *layer.limits)
    unit = np.array([source.scale])
    output = calibrated_output(name, real, layer.output, layer.requantize, rounding, unit)
    quantized = rescale_to(
        name,
        spec.layer_shape(index),
        source,
        output,
        layer.requantize,
        rounding,
        relu=layer.relu,
        lanes=layer.hardware.lanes,
    )
    quantized = replace(quantized, tail=limited(quantized.tail, layer.limits[1], output))
    return quantized, integers(real, output, rounding, layer.requantize.overflow)


def rescale_to(
    name: str,
    shape: Shape,
    source: Activation,
    output: Activation,
    requantize: RequantizeSpec,
    rounding: Rounding,
    *,
    relu: bool = False,
    lanes: int = 1,
) -> Rescale:
    """Rescale from one activation to another.

    Raises
    ------
    RangeError
        If the multiplier is too short for the ratio of their scales.
    """
    ratio = np.array([source.scale / output.scale])
    tail = tail_of(name, ratio, requantize, rounding, relu=relu)
    if requantize.multiplier_bits:
        fmt, zero_point = source.format, source.zero_point
        reach = np.array([max(fmt.max - zero_point, zero_point - fmt.min)], np.float64)
        tell_coarse(name, ratio, reach, tail, 1 << output.format.bits)
    return Rescale(
        name=name,
        shape=shape,
        input=source,
        tail=tail,
        output=output,
        lanes=lanes,
    )
