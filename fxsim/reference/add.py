"""Sums of two activations on Python integers."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index

from fxsim.arithmetic import integers
from fxsim.errors import RangeError
from fxsim.network import QuantizedAdd
from fxsim.reference.result import LayerResult


def run_add(layer: QuantizedAdd, vector: Sequence[int], other: Sequence[int]) -> LayerResult:
    """Add what a shortcut brings: each operand times its multiplier, one rounding."""
    accumulators, activations = [], []
    first, second = layer.requantizer.multiplier.tolist()
    for x, y in zip(vector, other, strict=True):
        real_x = int(index(x)) - layer.input.zero_point
        real_y = int(index(y)) - layer.other.zero_point
        accumulators.append(first * real_x + second * real_y)
        if not layer.accumulator.holds(accumulators[-1], accumulators[-1]):
            raise RangeError(
                f"{layer.name}: {accumulators[-1]} must be in {layer.accumulator}, as was proven"
            )
        activations.append(
            integers.requantize(
                accumulators[-1],
                multiplier=1,
                slack_bits=layer.requantizer.slack_bits,
                shift=layer.requantizer.shift,
                zero_point=layer.output.zero_point,
                fmt=layer.output.format,
                rounding=layer.requantizer.rounding,
                mode=layer.requantizer.overflow,
                relu=layer.relu,
            )
        )
    return LayerResult(accumulators, activations, 0)
