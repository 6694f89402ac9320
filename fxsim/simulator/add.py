"""Sums of activations on a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fxsim.kernels.add import weighted_sum
from fxsim.kernels.epilogue import epilogue, narrowest, requantize
from fxsim.network import IntArray, QuantizedAdd
from fxsim.simulator.trace import LayerTrace, Tensor


def run(layer: QuantizedAdd, *operands: Tensor) -> Tensor:
    """Add the operands (n, items); the sum has the narrowest type that holds it."""
    return _added(layer, operands)[1].astype(narrowest(layer.output.format))


def trace(layer: QuantizedAdd, *operands: IntArray) -> LayerTrace:
    """Trace of `run`: also accumulators and clipped values."""
    accumulators, activations, clipped = _added(layer, operands)
    return LayerTrace(
        name=layer.name,
        tensors={"accumulators": accumulators, "activations": activations},
        counts={"clipped": clipped},
    )


def _added(layer: QuantizedAdd, operands: Sequence[Tensor]) -> tuple[IntArray, IntArray, int]:
    """Accumulators, activations, and how many of these left their format."""
    accumulators = weighted_sum(operands, layer.multipliers, layer.bias)
    # The operands have been multiplied already.
    rest = replace(layer.tail, multiplier=np.ones(1, np.int64), multiplier_bits=0)
    constants = epilogue(rest, layer.outputs, layer.output)
    activations, clipped = requantize(accumulators, constants)
    return accumulators, activations, clipped
