"""Joined Python integers."""

from __future__ import annotations

from collections.abc import Sequence

from fxsim.network import Concat
from fxsim.reference.result import LayerResult


def run_concat(layer: Concat, *operands: Sequence[int]) -> LayerResult:
    """For each pixel the channels of every operand; a vector is like one pixel."""
    joined: list[int] = []
    for pixel in range(layer.inputs // layer.channels[0]):
        for operand, channels in zip(operands, layer.channels, strict=True):
            joined += operand[pixel * channels : (pixel + 1) * channels]
    return LayerResult(joined, list(joined), 0)
