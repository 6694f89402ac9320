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
    activations = [
        layer.tail.applied(accumulator, layer.output, channel)
        for channel, accumulator in enumerate(accumulators)
    ]
    return LayerResult(accumulators, activations, overflows)
