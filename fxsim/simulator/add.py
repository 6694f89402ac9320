"""Sums of activations on a batch."""

from __future__ import annotations

from collections.abc import Sequence

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
    constants = epilogue(layer.after_sum, layer.outputs, layer.output)
    activations, clipped = requantize(accumulators, constants)
    return accumulators, activations, clipped
