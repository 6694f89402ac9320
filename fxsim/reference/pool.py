"""Max pooling on Python integers."""

from __future__ import annotations

from collections.abc import Sequence

from fxsim.network import MaxPool
from fxsim.reference.result import LayerResult
from fxsim.reference.windows import windows_of


def run_max_pool(layer: MaxPool, image: Sequence[int]) -> LayerResult:
    """Greatest integer of each channel in each window."""
    channels = layer.windows.channels
    result = [
        max(window[channel::channels])
        for window in windows_of(layer.windows, image, layer.input.format.min)
        for channel in range(channels)
    ]
    return LayerResult(result, list(result), 0)
