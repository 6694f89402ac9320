"""Sums of activations on Python integers."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index

from fxsim.errors import RangeError
from fxsim.network import QuantizedAdd
from fxsim.reference.result import LayerResult


def run_add(layer: QuantizedAdd, *operands: Sequence[int]) -> LayerResult:
    """Add the operands: each times its multiplier, one rounding."""
    accumulators, activations = [], []
    multipliers, after = layer.multipliers, layer.after_sum
    for values in zip(*operands, strict=True):
        total = 0
        for value, multiplier, summand in zip(values, multipliers, layer.summands, strict=True):
            total += multiplier * (int(index(value)) - summand.zero_point)
        accumulators.append(total)
        if not layer.accumulator.holds(accumulators[-1], accumulators[-1]):
            raise RangeError(
                f"{layer.name}: {accumulators[-1]} must be in {layer.accumulator}, as was proven"
            )
        activations.append(after.applied(total, layer.output))
    return LayerResult(accumulators, activations, 0)
