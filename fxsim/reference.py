"""The oracle: a slow, obvious interpreter of a `QuantizedNetwork` on Python integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import index

from fxsim import arith
from fxsim.errors import RangeError
from fxsim.network import QuantizedLinear, QuantizedNetwork


@dataclass(frozen=True)
class LayerResult:
    """What one layer does to one vector."""

    accumulators: list[int]
    activations: list[int]
    overflows: int


def run_linear(layer: QuantizedLinear, vector: Sequence[int]) -> LayerResult:
    """Apply one layer to one vector of integers."""
    vector = [int(index(x)) for x in vector]  # numpy integers would overflow
    accumulators, overflows = [], 0
    for weights, bias in zip(layer.weight.tolist(), layer.bias.tolist(), strict=True):
        accumulator, count = arith.accumulate(
            (w * x for w, x in zip(weights, vector, strict=True)),
            start=bias,
            simd=layer.folding.simd,
            fmt=layer.accumulator.format,
            mode=layer.accumulator.mode,
        )
        accumulators.append(accumulator)
        overflows += count
    if layer.requantizer is None:
        return LayerResult(accumulators, list(accumulators), overflows)
    multipliers = layer.requantizer.multiplier.tolist()
    if len(multipliers) == 1:
        multipliers *= layer.outputs
    activations = [
        arith.requantize(
            accumulator,
            multiplier=multiplier,
            shift=layer.requantizer.shift,
            zero_point=layer.output.zero_point,
            fmt=layer.output.format,
            rounding=layer.requantizer.rounding,
            mode=layer.requantizer.overflow,
            relu=layer.relu,
        )
        for accumulator, multiplier in zip(accumulators, multipliers, strict=True)
    ]
    return LayerResult(accumulators, activations, overflows)


def run(network: QuantizedNetwork, vector: Sequence[int]) -> list[LayerResult]:
    """Run one vector of integers through every layer.

    Raises
    ------
    RangeError
        If the vector has the wrong length or leaves the input format.
    """
    if len(vector) != network.layers[0].inputs:
        raise RangeError(f"input must have {network.layers[0].inputs} values, not {len(vector)}")
    for value in vector:
        if not network.input.activation.format.holds(value):
            raise RangeError(f"input must be in {network.input.activation.format}, not {value}")
    results: list[LayerResult] = []
    for layer in network.layers:
        results.append(run_linear(layer, results[-1].activations if results else vector))
    return results
