"""Requantized Python integers."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index

from fxsim.arithmetic import integers
from fxsim.network import Rescale
from fxsim.reference.result import LayerResult


def run_rescale(layer: Rescale, vector: Sequence[int]) -> LayerResult:
    """Requantize each integer, the zero point taken off, by the constants of its channel."""
    tail, channels = layer.tail, layer.shape[0]
    multipliers, offsets = tail.multiplier.tolist(), tail.offset.tolist()
    accumulators, activations = [], []
    for k, x in enumerate(vector):
        channel = k % channels
        accumulators.append(int(index(x)) - layer.input.zero_point)
        activations.append(
            integers.requantize(
                accumulators[-1],
                multiplier=multipliers[channel % len(multipliers)],
                offset=offsets[channel % len(offsets)],
                slack_bits=tail.slack_bits,
                shift=tail.shift,
                zero_point=layer.output.zero_point,
                fmt=layer.output.format,
                rounding=tail.rounding,
                mode=tail.overflow,
                relu=tail.relu,
            )
        )
    return LayerResult(accumulators, activations, 0)
