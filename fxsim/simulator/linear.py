"""Fully connected layers on a batch."""

from __future__ import annotations

import math

import numpy as np

from fxsim.kernels.linear import kernel_of
from fxsim.network import IntArray, QuantizedLinear
from fxsim.simulator.trace import LayerTrace, Tensor


def run(layer: QuantizedLinear, x: Tensor) -> Tensor:
    """Apply a layer to the last axis of ``x``."""
    rows = x.reshape(-1, layer.inputs)
    return kernel_of(layer).activations(rows).reshape(*x.shape[:-1], layer.outputs)


def trace(layer: QuantizedLinear, x: IntArray) -> LayerTrace:
    """Trace of `run`, with everything that one tells of a matrix product."""
    kernel = kernel_of(layer)
    accumulators, overflows = kernel.accumulate(x.reshape(-1, layer.inputs), count=True)
    activations, clipped = kernel.requantize(accumulators)
    return product_trace(layer, x, accumulators, activations, overflows, clipped)


def product_trace(
    layer: QuantizedLinear,
    x: IntArray,
    accumulators: Tensor,
    activations: IntArray,
    overflows: int,
    clipped: int,
) -> LayerTrace:
    """Trace of a matrix product that has been computed; zero operands are counted here."""
    leading = x.shape[:-1]
    active = np.count_nonzero(x.reshape(-1, layer.inputs), axis=0)
    weights = np.count_nonzero(layer.weight, axis=0)
    products = math.prod(leading) * layer.weight.size
    sums = accumulators.astype(np.int64, copy=False)
    return LayerTrace(
        name=layer.name,
        tensors={
            "accumulators": sums.reshape(*leading, layer.outputs),
            "activations": activations.reshape(*leading, layer.outputs),
        },
        counts={
            "overflows": overflows,
            "clipped": clipped,
            "products": products,
            "zero_activations": products - layer.outputs * int(active.sum()),
            "zero_products": products - int((active * weights).sum()),
        },
    )
