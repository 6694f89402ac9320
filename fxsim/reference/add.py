"""Sums of activations on Python integers."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index

from fxsim.arithmetic import integers
from fxsim.errors import RangeError
from fxsim.network import QuantizedAdd
from fxsim.reference.result import LayerResult


def run_add(layer: QuantizedAdd, *operands: Sequence[int]) -> LayerResult:
    """Add the operands: each times its multiplier, one rounding."""
    accumulators, activations = [], []
    multipliers = layer.tail.multiplier.tolist()
    for values in zip(*operands, strict=True):
        total = 0
        for value, multiplier, summand in zip(values, multipliers, layer.summands, strict=True):
            total += multiplier * (int(index(value)) - summand.zero_point)
        accumulators.append(total)
        if not layer.accumulator.holds(accumulators[-1], accumulators[-1]):
            raise RangeError(
                f"{layer.name}: {accumulators[-1]} must be in {layer.accumulator}, as was proven"
            )
        activations.append(
            integers.requantize(
                accumulators[-1],
                multiplier=1,
                slack_bits=layer.tail.slack_bits,
                shift=layer.tail.shift,
                zero_point=layer.output.zero_point,
                fmt=layer.output.format,
                rounding=layer.tail.rounding,
                mode=layer.tail.overflow,
                relu=layer.tail.relu,
            )
        )
    return LayerResult(accumulators, activations, 0)
