"""Argmax: there is nothing to round."""

from __future__ import annotations

from fxsim.network import Activation, Argmax, IntArray
from fxsim.spec.specification import ArgmaxSpec, NetworkSpec


def quantize_argmax(
    spec: NetworkSpec, index: int, layer: ArgmaxSpec, source: Activation, x: IntArray
) -> tuple[Argmax, IntArray]:
    """Take an argmax to integers; samples calibrate nothing after it, so any will do."""
    name, items = spec.layer_name(index), spec.layer_inputs(index)
    return Argmax(name=name, input=source, items=items, lanes=layer.hardware.lanes), x
