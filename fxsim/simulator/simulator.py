"""Run a `QuantizedNetwork` on a batch, bit for bit as the hardware does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fxsim.arithmetic.tensors import as_vectors
from fxsim.errors import RangeError
from fxsim.kernels.epilogue import narrowest
from fxsim.kernels.linear import kernel_of
from fxsim.network import (
    INPUT,
    Argmax,
    IntArray,
    Layer,
    MaxPool,
    QuantizedAdd,
    QuantizedConvolution,
    QuantizedLstm,
    QuantizedNetwork,
)
from fxsim.network.state import LstmState, State, as_state, reset_state
from fxsim.quantizer import quantize_input
from fxsim.simulator.add import add, best, run_add
from fxsim.simulator.images import BLOCK, convolve, pool, run_convolution
from fxsim.simulator.linear import counts_of, run_linear
from fxsim.simulator.lstm import lstm_outputs, run_lstm, run_lstm_states
from fxsim.simulator.trace import AddTrace, LayerTrace, LstmTrace, PickTrace, Trace, span

__all__ = [
    "as_input",
    "run_convolution",
    "run_layer",
    "run_lstm",
    "run_lstm_states",
    "simulate",
    "simulate_ranges",
    "simulate_trace",
]


def simulate(
    network: QuantizedNetwork, x: npt.NDArray[Any], state: State | None = None
) -> IntArray:
    """Output integers for a batch.

    Parameters
    ----------
    x : array, shape (n, *network.input.shape) or (n, inputs)
        Floats are quantized by the network's input quantizer; integers are taken as they are, those
        of shape (n, inputs) in the order of the stream.
        With LSTM layers the shape is (n, t, ...): n sequences of t vectors.
    state : mapping of str to LstmState, optional
        Where the sequences go on: `fxsim.simulator.trace.Trace.state` of what came before. Left
        out, each is a new sequence.

    Returns
    -------
    int64 array, shape (n, outputs), or (n, t, outputs) with LSTM layers
        real = network.output.scale * (output - network.output.zero_point).

    Raises
    ------
    RangeError
        If a shape is wrong, a float is not finite, or an integer leaves its format.
    """
    source = as_input(network, x, narrowest(network.input.activation.format))
    states = as_state(network, state, len(source))
    outputs = []
    for block in _blocks(network, source):
        vector: npt.NDArray[Any] = block
        starts = {INPUT: vector}  # of shortcuts
        for layer in network.layers:
            other = starts[layer.shortcut] if isinstance(layer, QuantizedAdd) else None
            vector = run_layer(layer, vector, states.get(layer.name), other)
            if network.shortcuts(layer.name):
                starts[layer.name] = vector
        outputs.append(vector.astype(np.int64, copy=False))
    return outputs[0] if len(outputs) == 1 else np.concatenate(outputs)


def simulate_ranges(
    network: QuantizedNetwork, x: npt.NDArray[Any], state: State | None = None
) -> Trace:
    """Like `simulate_trace`, but with images all tensors between the layers are cut short.

    Each holds its least and its greatest integer then, all that a report needs of it: the whole
    ones of thousands of images would not fit.
    """
    source = as_input(network, x)
    if not network.spatial:
        return simulate_trace(network, source, state)
    traces = [simulate_trace(network, block) for block in _blocks(network, source)]
    joined = [
        _extremes([trace.layers[k] for trace in traces]) for k in range(len(network.layers) - 1)
    ]
    last = [trace.layers[-1] for trace in traces]
    output = np.concatenate([trace.output for trace in traces])
    return Trace(
        input=source,
        layers=(*joined, replace(_extremes(last), activations=output)),
    )


def _blocks(network: QuantizedNetwork, source: IntArray) -> Iterator[IntArray]:
    """Some images at a time, for their tensors are large; all vectors at once."""
    block = max(len(source), 1)
    if network.spatial:
        block = max(1, 8 * BLOCK // max(layer.outputs for layer in network.layers))
    for start in range(0, max(len(source), 1), block):
        yield source[start : start + block]


Seen = LayerTrace | LstmTrace | AddTrace | PickTrace


def _extremes(traces: Sequence[Seen]) -> LayerTrace | AddTrace | PickTrace:
    """One trace of a layer, with the extremes of its tensors."""

    def limits(field: str) -> IntArray:
        spans = [span(getattr(trace, field)) for trace in traces]
        return np.array([[min(low for low, _ in spans)], [max(high for _, high in spans)]])

    name, activations = traces[0].name, limits("activations")
    products = [trace for trace in traces if isinstance(trace, LayerTrace)]
    adds = [trace for trace in traces if isinstance(trace, AddTrace)]
    if adds:
        return AddTrace(
            name=name,
            accumulators=limits("accumulators"),
            activations=activations,
            clipped=sum(trace.clipped for trace in adds),
        )
    if not products:
        return PickTrace(name=name, activations=activations)
    return LayerTrace(
        name=name,
        accumulators=limits("accumulators"),
        activations=activations,
        **counts_of(products),
    )


def simulate_trace(
    network: QuantizedNetwork, x: npt.NDArray[Any], state: State | None = None
) -> Trace:
    """Like `simulate`, with every tensor, range and count of every layer."""
    source = vector = as_input(network, x)
    states = as_state(network, state, len(source))
    layers: list[Seen] = []
    starts = {INPUT: vector}  # of shortcuts
    for layer in network.layers:
        if isinstance(layer, QuantizedLstm):
            layers.append(run_lstm(layer, vector, states[layer.name]))
        elif isinstance(layer, QuantizedConvolution):
            layers.append(run_convolution(layer, vector))
        elif isinstance(layer, QuantizedAdd):
            layers.append(run_add(layer, vector, starts[layer.shortcut]))
        elif isinstance(layer, MaxPool):
            layers.append(PickTrace(name=layer.name, activations=pool(layer, vector)))
        elif isinstance(layer, Argmax):
            layers.append(PickTrace(name=layer.name, activations=best(vector)))
        else:
            layers.append(run_linear(layer, vector))
        starts[layer.name] = vector = layers[-1].activations
    return Trace(input=source, layers=tuple(layers))


def run_layer(
    layer: Layer,
    x: npt.NDArray[Any],
    state: LstmState | None = None,
    other: npt.NDArray[Any] | None = None,
) -> npt.NDArray[Any]:
    """What one layer yields for integers validated by the caller, in a type that may be narrow.

    ``other`` is what the shortcut brings to an add.
    """
    if isinstance(layer, QuantizedLstm):
        return lstm_outputs(layer, x, state or reset_state(layer, len(x)))
    if isinstance(layer, QuantizedConvolution):
        return convolve(layer, x)
    if isinstance(layer, QuantizedAdd):
        assert other is not None
        return add(layer, x, other)
    if isinstance(layer, MaxPool):
        return pool(layer, x)
    if isinstance(layer, Argmax):
        return best(x)
    rows = x.reshape(-1, layer.inputs)
    return kernel_of(layer).activations(rows).reshape(*x.shape[:-1], layer.outputs)


def as_input(
    network: QuantizedNetwork, x: npt.NDArray[Any], dtype: npt.DTypeLike = np.int64
) -> npt.NDArray[Any]:
    """Batch ``x`` as validated integers of ``dtype``; see `simulate`."""
    shape = network.input.shape
    inputs = network.layers[0].inputs
    leading = 2 if network.recurrent else 1
    if x.ndim <= leading or x.shape[leading:] not in {shape, (inputs,)}:
        axes = ("n", "t")[:leading] + tuple(map(str, shape))
        raise RangeError(f"input must have shape ({', '.join(axes)}), not {x.shape}")
    batch = x.reshape(-1, *x.shape[leading:])
    if x.dtype.kind == "f":
        values = quantize_input(network.input, batch.reshape(-1, *shape))
        return values.reshape(*x.shape[:leading], inputs).astype(dtype, copy=False)
    if x.dtype.kind not in "iu":
        raise RangeError(f"input must hold integers or floats, not {x.dtype}")
    fmt = network.input.activation.format
    limits = np.iinfo(x.dtype)
    inside = fmt.holds(int(limits.min), int(limits.max))
    if not inside and x.size and not fmt.holds(int(x.min()), int(x.max())):
        bad = np.argwhere((x < fmt.min) | (x > fmt.max))
        index = tuple(int(i) for i in bad[0])
        raise RangeError(
            f"input[{', '.join(map(str, index))}] must be in {fmt} ({fmt.min} to {fmt.max}),"
            f" not {x[index]}"
        )
    values = x if x.shape[leading:] == (inputs,) else as_vectors(x, shape)
    return np.ascontiguousarray(values, dtype=dtype)
