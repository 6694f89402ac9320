"""Run a `QuantizedNetwork` on a batch, bit for bit as the hardware does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple, assert_never

import numpy as np
import numpy.typing as npt

from fxsim.arithmetic.tensors import as_vectors
from fxsim.errors import RangeError
from fxsim.kernels.epilogue import narrowest
from fxsim.network import (
    INPUT,
    Argmax,
    IntArray,
    Layer,
    MaxPool,
    QuantizedAdd,
    QuantizedConvolution,
    QuantizedLinear,
    QuantizedLstm,
    QuantizedNetwork,
)
from fxsim.network.state import LstmState, State, as_state
from fxsim.quantizer import quantize_input
from fxsim.simulator import add, argmax, convolution, linear, lstm, pool
from fxsim.simulator.images import BLOCK
from fxsim.simulator.trace import LayerTrace, Tensor, Trace, combined, span


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
        vector: Tensor = block
        kept = {INPUT: vector}  # where shortcuts start
        for layer in network.layers:
            operands = vector, *(kept[source] for source in layer.sources)
            vector = run_layer(layer, *operands, state=states.get(layer.name))
            if network.shortcuts(layer.name):
                kept[layer.name] = vector
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
        combined([trace.layers[k] for trace in traces], _extremes)
        for k in range(len(network.layers))
    ]
    output = np.concatenate([trace.output for trace in traces])
    last = replace(joined[-1], tensors={**joined[-1].tensors, "activations": output})
    return Trace(input=source, layers=(*joined[:-1], last))


def _extremes(tensors: Sequence[Tensor]) -> Tensor:
    """Least and greatest of several tensors, as a tensor."""
    spans = [span(tensor) for tensor in tensors]
    return np.array([[min(low for low, _ in spans)], [max(high for _, high in spans)]])


def _blocks(network: QuantizedNetwork, source: IntArray) -> Iterator[IntArray]:
    """Some images at a time, for their tensors are large; all vectors at once."""
    block = max(len(source), 1)
    if network.spatial:
        block = max(1, 8 * BLOCK // max(layer.outputs for layer in network.layers))
    for start in range(0, max(len(source), 1), block):
        yield source[start : start + block]


def simulate_trace(
    network: QuantizedNetwork, x: npt.NDArray[Any], state: State | None = None
) -> Trace:
    """Like `simulate`, with every tensor, range and count of every layer."""
    source = vector = as_input(network, x)
    states = as_state(network, state, len(source))
    layers: list[LayerTrace] = []
    yielded = {INPUT: vector}
    for layer in network.layers:
        operands = vector, *(yielded[source] for source in layer.sources)
        layers.append(trace_layer(layer, *operands, state=states.get(layer.name)))
        yielded[layer.name] = vector = layers[-1].activations
    return Trace(input=source, layers=tuple(layers))


def run_layer(layer: Layer, *operands: Tensor, state: LstmState | None = None) -> Tensor:
    """What one layer yields for integers validated by the caller, in a type that may be narrow.

    ``state`` is for a layer that has one; left out, sequences are new.
    """
    return _driver(layer).run(*operands, *_given(state))


def trace_layer(layer: Layer, *operands: IntArray, state: LstmState | None = None) -> LayerTrace:
    """Like `run_layer`, with all that a trace tells."""
    return _driver(layer).trace(*operands, *_given(state))


def _given(state: LstmState | None) -> tuple[LstmState, ...]:
    return () if state is None else (state,)


class _Driver(NamedTuple):
    """What runs a layer, with or without a trace: functions of its operands and its state."""

    run: Callable[..., Tensor]
    trace: Callable[..., LayerTrace]


def _driver(layer: Layer) -> _Driver:
    match layer:
        case QuantizedLinear():
            return _Driver(partial(linear.run, layer), partial(linear.trace, layer))
        case QuantizedLstm():
            return _Driver(partial(lstm.run, layer), partial(lstm.trace, layer))
        case QuantizedConvolution():
            return _Driver(partial(convolution.run, layer), partial(convolution.trace, layer))
        case MaxPool():
            return _Driver(partial(pool.run, layer), partial(pool.trace, layer))
        case QuantizedAdd():
            return _Driver(partial(add.run, layer), partial(add.trace, layer))
        case Argmax():
            return _Driver(partial(argmax.run, layer), partial(argmax.trace, layer))
        case _:
            assert_never(layer)


def as_input(
    network: QuantizedNetwork, x: npt.NDArray[Any], dtype: npt.DTypeLike = np.int64
) -> npt.NDArray[Any]:
    """Batch ``x`` as validated integers of ``dtype``; see `simulate`."""
    shape = network.input.shape
    inputs = network.layers[0].inputs
    leading = 2 if network.recurrent else 1
    x = np.asarray(x)
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
