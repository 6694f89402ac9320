"""Requantized Python integers."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index

from fxsim.network import Rescale
from fxsim.reference.result import LayerResult


def run_rescale(layer: Rescale, vector: Sequence[int]) -> LayerResult:
    """Requantize each integer, the zero point taken off, by the constants of its channel."""
    accumulators = [int(index(x)) - layer.input.zero_point for x in vector]
    activations = [
        layer.tail.applied(accumulator, layer.output, k % layer.shape[0])
        for k, accumulator in enumerate(accumulators)
    ]
    return LayerResult(accumulators, activations, 0)
