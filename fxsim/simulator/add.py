"""Adds and argmax on a batch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fxsim.kernels.add import weighted_sum
from fxsim.kernels.epilogue import epilogue, narrowest, requantize
from fxsim.network import IntArray, QuantizedAdd
from fxsim.simulator.trace import AddTrace


def run_add(layer: QuantizedAdd, x: IntArray, other: IntArray) -> AddTrace:
    """Run one add on the operands (n, items)."""
    accumulators, activations, clipped = _added(layer, x, other)
    return AddTrace(
        name=layer.name, accumulators=accumulators, activations=activations, clipped=clipped
    )


def add(layer: QuantizedAdd, x: npt.NDArray[Any], other: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Like `run_add`, with the activations only, in the narrowest type that holds them."""
    return _added(layer, x, other)[1].astype(narrowest(layer.output.format))


def best(x: npt.NDArray[Any]) -> IntArray:
    """Index of the greatest of the last axis, the lowest of equals; shape (..., 1)."""
    return np.asarray(x.argmax(axis=-1, keepdims=True), dtype=np.int64)


def _added(
    layer: QuantizedAdd, x: npt.NDArray[Any], other: npt.NDArray[Any]
) -> tuple[IntArray, IntArray, int]:
    """Accumulators, activations, and how many of these left their format."""
    accumulators = weighted_sum(x, other, *layer.multipliers, layer.bias)
    # The operands have been multiplied already.
    rest = replace(layer.requantizer, multiplier=np.ones(1, np.int64), multiplier_bits=0)
    constants = epilogue(rest, layer.outputs, layer.relu, layer.output)
    activations, clipped = requantize(accumulators, constants)
    return accumulators, activations, clipped
