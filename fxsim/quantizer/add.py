"""Adds: scales -> integers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fxsim.arithmetic.formats import IntFormat
from fxsim.network import Activation, FloatArray, IntArray, QuantizedAdd, add_bounds
from fxsim.quantizer.activation import integers
from fxsim.quantizer.requantize import limited, tail_of, tell_coarse
from fxsim.quantizer.scale import calibrated_output
from fxsim.spec.specification import AddSpec, NetworkSpec


def quantize_add(
    spec: NetworkSpec,
    index: int,
    layer: AddSpec,
    operands: Sequence[tuple[Activation, IntArray]],
) -> tuple[QuantizedAdd, IntArray]:
    """Quantize one add; returns it with the calibration samples that leave it.

    Parameters
    ----------
    operands : sequence of (Activation, int64 array of shape (n, items))
        Format and calibration samples of each.
    """
    name = spec.layer_name(index)
    summands = tuple(source for source, _ in operands)
    real: FloatArray = np.zeros(operands[0][1].shape)
    for source, x in operands:
        real += source.scale * (x - source.zero_point)
    real = np.clip(real, *layer.limits)
    rounding = spec.layer_rounding(index)
    scales = np.array([summand.scale for summand in summands])
    output = calibrated_output(name, real, layer.output, layer.requantize, rounding, scales)
    ratio = scales / output.scale
    tail = tail_of(name, ratio, layer.requantize, rounding, relu=layer.relu)
    tail = limited(tail, layer.limits[1], output)
    if layer.requantize.multiplier_bits:
        reach = [max(a.format.max - a.zero_point, a.zero_point - a.format.min) for a in summands]
        span = 1 << output.format.bits
        reached = np.array(reach, np.float64)
        tell_coarse(name, ratio, reached, tail, span, part="operand")
    multipliers = tuple(tail.multiplier.tolist())
    quantized = QuantizedAdd(
        name=name,
        shape=spec.layer_shape(index),
        summands=summands,
        tail=tail,
        accumulator=IntFormat.spanning(*add_bounds(multipliers, summands), signed=True),
        output=output,
        lanes=layer.hardware.lanes,
    )
    return quantized, integers(real, output, rounding, layer.requantize.overflow)
