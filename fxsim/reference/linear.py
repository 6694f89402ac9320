"""Fully connected layers on Python integers."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index

from fxsim.arithmetic import integers
from fxsim.network import QuantizedLinear
from fxsim.reference.result import LayerResult


def run_linear(layer: QuantizedLinear, vector: Sequence[int]) -> LayerResult:
    """Apply one fully connected layer to one vector of integers."""
    vector = [int(index(x)) for x in vector]  # numpy integers would overflow
    accumulators, overflows = [], 0
    for weights, bias in zip(layer.weight.tolist(), layer.bias.tolist(), strict=True):
        accumulator, count = integers.accumulate(
            (w * x for w, x in zip(weights, vector, strict=True)),
            start=bias,
            simd=layer.folding.simd,
            fmt=layer.accumulator.format,
            mode=layer.accumulator.mode,
        )
        accumulators.append(accumulator)
        overflows += count
    if layer.tail is None:
        return LayerResult(accumulators, list(accumulators), overflows)
    multipliers, offsets = (
        array.tolist() * (1 if len(array) > 1 else layer.outputs)
        for array in (layer.tail.multiplier, layer.tail.offset)
    )
    activations = [
        integers.requantize(
            accumulator,
            multiplier=multiplier,
            offset=offset,
            slack_bits=layer.tail.slack_bits,
            shift=layer.tail.shift,
            zero_point=layer.output.zero_point,
            fmt=layer.output.format,
            rounding=layer.tail.rounding,
            mode=layer.tail.overflow,
            relu=layer.tail.relu,
        )
        for accumulator, multiplier, offset in zip(accumulators, multipliers, offsets, strict=True)
    ]
    return LayerResult(accumulators, activations, overflows)
