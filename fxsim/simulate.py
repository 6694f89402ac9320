"""Run a `QuantizedNetwork` on a batch, bit for bit as the hardware does."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fxsim.errors import RangeError
from fxsim.formats import AccumulatorMode, Overflow
from fxsim.kernels import linear
from fxsim.kernels.arith import ROUNDING_CODE
from fxsim.network import IntArray, QuantizedLinear, QuantizedNetwork
from fxsim.quantize import quantize_input
from fxsim.trace import LayerTrace, Trace


def simulate(network: QuantizedNetwork, x: npt.NDArray[Any]) -> IntArray:
    """Output integers for a batch.

    Parameters
    ----------
    x : array, shape (n, *network.input.shape) or (n, inputs)
        Floats are quantized by the network's input quantizer; integers are taken as they are.

    Returns
    -------
    int64 array, shape (n, outputs)
        real = network.output.scale * (output - network.output.zero_point).

    Raises
    ------
    RangeError
        If the shape is wrong, a float is not finite, or an integer leaves the input format.
    """
    return simulate_trace(network, x).output


def simulate_trace(network: QuantizedNetwork, x: npt.NDArray[Any]) -> Trace:
    """Like `simulate`, with every tensor, range and count of every layer."""
    source = vector = as_input(network, x)
    layers = []
    for layer in network.layers:
        layers.append(_run_linear(layer, vector))
        vector = layers[-1].activations
    return Trace(input=source, layers=tuple(layers))


def as_input(network: QuantizedNetwork, x: npt.NDArray[Any]) -> IntArray:
    """Batch ``x`` as validated int64 input, shape (n, inputs); see `simulate`."""
    shape = network.input.shape
    inputs = network.layers[0].inputs
    if x.ndim < 2 or x.shape[1:] not in {shape, (inputs,)}:
        raise RangeError(f"input must have shape (n, {', '.join(map(str, shape))}), not {x.shape}")
    if x.dtype.kind == "f":
        return quantize_input(network.input, x.reshape(-1, *shape))
    if x.dtype.kind not in "iu":
        raise RangeError(f"input must hold integers or floats, not {x.dtype}")
    fmt = network.input.activation.format
    bad = np.argwhere((x < fmt.min) | (x > fmt.max))
    if bad.size:
        index = tuple(int(i) for i in bad[0])
        raise RangeError(
            f"input[{', '.join(map(str, index))}] must be in {fmt} ({fmt.min} to {fmt.max}),"
            f" not {x[index]}"
        )
    return np.ascontiguousarray(x, dtype=np.int64).reshape(len(x), inputs)


def _run_linear(layer: QuantizedLinear, x: IntArray) -> LayerTrace:
    overflows = clipped = 0
    if layer.accumulator.mode is AccumulatorMode.WIDE:
        accumulators = linear.accumulate_wide(x, layer.weight, layer.bias)
    else:
        accumulators, overflows = linear.accumulate_beats(
            x,
            layer.weight,
            layer.bias,
            layer.folding.simd,
            layer.accumulator.format.bits,
            layer.accumulator.mode is AccumulatorMode.SATURATE,
        )
    activations = accumulators
    if (requantizer := layer.requantizer) is not None:
        fmt = layer.output.format
        activations, clipped = linear.requantize(
            accumulators,
            requantizer.multiplier,
            requantizer.shift,
            ROUNDING_CODE[requantizer.rounding],
            layer.relu,
            layer.output.zero_point,
            fmt.bits,
            fmt.signed,
            fmt.min,
            fmt.max,
            requantizer.overflow is Overflow.SATURATE,
        )
    active = np.count_nonzero(x, axis=0)
    weights = np.count_nonzero(layer.weight, axis=0)
    products = len(x) * layer.weight.size
    return LayerTrace(
        name=layer.name,
        accumulators=accumulators,
        activations=activations,
        overflows=overflows,
        clipped=clipped,
        products=products,
        zero_activations=products - layer.outputs * int(active.sum()),
        zero_products=products - int((active * weights).sum()),
    )
