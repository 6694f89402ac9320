"""Fully connected layers on a batch, with everything that a trace tells of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fxsim.kernels.linear import kernel_of
from fxsim.network import IntArray, QuantizedLinear
from fxsim.simulator.trace import LayerTrace


def run_linear(layer: QuantizedLinear, x: IntArray) -> LayerTrace:
    """Apply a layer to the last axis of ``x``."""
    kernel = kernel_of(layer)
    accumulators, overflows = kernel.accumulate(x.reshape(-1, layer.inputs), count=True)
    activations, clipped = kernel.requantize(accumulators)
    return layer_trace(layer, x, accumulators, activations, overflows, clipped)


def layer_trace(
    layer: QuantizedLinear,
    x: IntArray,
    accumulators: npt.NDArray[Any],
    activations: IntArray,
    overflows: int,
    clipped: int,
) -> LayerTrace:
    leading = x.shape[:-1]
    active = np.count_nonzero(x.reshape(-1, layer.inputs), axis=0)
    weights = np.count_nonzero(layer.weight, axis=0)
    products = math.prod(leading) * layer.weight.size
    return LayerTrace(
        name=layer.name,
        accumulators=accumulators.astype(np.int64, copy=False).reshape(*leading, layer.outputs),
        activations=activations.reshape(*leading, layer.outputs),
        overflows=overflows,
        clipped=clipped,
        products=products,
        zero_activations=products - layer.outputs * int(active.sum()),
        zero_products=products - int((active * weights).sum()),
    )


def counts_of(traces: Sequence[LayerTrace]) -> dict[str, int]:
    """Sums of all that is counted."""
    names = ("overflows", "clipped", "products", "zero_activations", "zero_products")
    return {name: sum(getattr(trace, name) for trace in traces) for name in names}
