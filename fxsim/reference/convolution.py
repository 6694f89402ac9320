"""Convolutions on Python integers."""

from __future__ import annotations

from collections.abc import Sequence

from fxsim.network import QuantizedConvolution
from fxsim.reference.linear import run_linear
from fxsim.reference.result import LayerResult
from fxsim.reference.windows import windows_of


def run_convolution(layer: QuantizedConvolution, image: Sequence[int]) -> LayerResult:
    """Apply the product of each group to the group's windows."""
    places = [LayerResult([], [], 0) for _ in range(layer.windows.places)]
    for group, product in enumerate(layer.group_products):
        seen = windows_of(layer.windows, image, layer.input.zero_point, group)
        for k, window in enumerate(seen):
            before, result = places[k], run_linear(product, window)
            places[k] = LayerResult(
                before.accumulators + result.accumulators,
                before.activations + result.activations,
                before.overflows + result.overflows,
            )
    return LayerResult(
        [value for place in places for value in place.accumulators],
        [value for place in places for value in place.activations],
        sum(place.overflows for place in places),
    )
