"""The place of the greatest of Python integers."""

from __future__ import annotations

from collections.abc import Sequence

from fxsim.network import Argmax
from fxsim.reference.result import LayerResult


def run_argmax(layer: Argmax, vector: Sequence[int]) -> LayerResult:
    """Index of the first of the greatest integers."""
    answer = 0
    for place in range(1, layer.items):
        if vector[place] > vector[answer]:
            answer = place
    return LayerResult([answer], [answer], 0)
