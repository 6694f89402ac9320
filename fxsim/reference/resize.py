"""Larger images of Python integers."""

from __future__ import annotations

from collections.abc import Sequence

from fxsim.network import Resize
from fxsim.reference.result import LayerResult


def run_resize(layer: Resize, image: Sequence[int]) -> LayerResult:
    """Each pixel of the output is the one of the input that it lies in."""
    channels, height, width = layer.shape_out
    vertical, horizontal = layer.factors
    result = [
        image[((y // vertical) * layer.shape[2] + x // horizontal) * channels + channel]
        for y in range(height)
        for x in range(width)
        for channel in range(channels)
    ]
    return LayerResult(result, list(result), 0)
