"""Run a `QuantizedNetwork` on a batch, bit for bit as the hardware does."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple, assert_never

import numpy as np

from fxsim.arguments import check_type
from fxsim.kernels.epilogue import narrowest
from fxsim.network import (
    Argmax,
    Concat,
    IntArray,
    Layer,
    MaxPool,
    QuantizedAdd,
    QuantizedConvolution,
    QuantizedLinear,
    QuantizedLstm,
    QuantizedNetwork,
    Rescale,
    Resize,
)
from fxsim.network.graph import only
from fxsim.network.state import LstmState, State, as_state
from fxsim.simulator import add, argmax, concat, convolution, linear, lstm, pool, rescale, resize
from fxsim.simulator.images import BLOCK
from fxsim.simulator.inputs import Batch, as_inputs
from fxsim.simulator.trace import LayerTrace, Tensor, Trace, combined, span


def simulate(network: QuantizedNetwork, x: Batch, state: State | None = None) -> IntArray:
    """Output integers of a network with one output for a batch.

    Parameters
    ----------
    x : array, shape (n, *network.input.shape) or (n, inputs)
        Floats are quantized by the network's input quantizer; integers are taken as they are, those
        of shape (n, inputs) in the order of the stream.
        With LSTM layers the shape is (n, t, ...): n sequences of t vectors.
        A network with several inputs takes such an array for each, by its name.
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
        If a shape is wrong, a float is not finite, an integer leaves its format, or there are
        several outputs.
    """
    check_type(network, QuantizedNetwork, "network")
    only(dict.fromkeys(network.leaving), "output")
    return only(simulate_outputs(network, x, state), "output")


def simulate_outputs(
    network: QuantizedNetwork, x: Batch, state: State | None = None
) -> dict[str, IntArray]:
    """Outputs of a network with any number of them, by the names of their layers."""
    check_type(network, QuantizedNetwork, "network")
    sources = as_inputs(network, x, narrowest)
    return go_on(network, sources, as_state(network, state, _count(sources)))


def go_on(
    network: QuantizedNetwork, sources: dict[str, Tensor], states: State
) -> dict[str, IntArray]:
    """Outputs for validated integers, from ``states``, which are those after the last step then."""
    last_taken = {
        source: place
        for place, layer in enumerate(network.layers)
        for source in network.taken[layer.name]
    }
    parts = []
    for block, before in _blocks(network, sources, states):
        yielded = dict(block)
        for place, layer in enumerate(network.layers):
            taken = network.taken[layer.name]
            operands = [yielded[source] for source in taken]
            yielded[layer.name] = run_layer(layer, *operands, state=before.get(layer.name))
            for source in set(taken):
                if last_taken[source] == place and source not in network.leaving:
                    del yielded[source]
        parts.append({name: yielded[name] for name in network.leaving})
    return {
        name: _joined([part[name].astype(np.int64, copy=False) for part in parts])
        for name in network.leaving
    }


def simulate_ranges(network: QuantizedNetwork, x: Batch, state: State | None = None) -> Trace:
    """Trace as of `simulate_trace`, but with images all tensors between the layers are cut short.

    Each holds its least and its greatest integer then, all that a report needs of it: the whole
    ones of thousands of images would not fit.
    """
    sources = as_inputs(network, x)
    if not network.spatial:
        return simulate_trace(network, sources, state)
    states = as_state(network, state, _count(sources))
    traces = [
        simulate_trace(network, block, before)
        for block, before in _blocks(network, sources, states)
    ]
    layers = []
    for k, layer in enumerate(network.layers):
        whole = combined([trace.layers[k] for trace in traces], _extremes)
        if layer.name in network.leaving:
            output = _joined([trace.layers[k].activations for trace in traces])
            whole = replace(whole, tensors={**whole.tensors, "activations": output})
        layers.append(whole)
    return Trace(inputs=sources, layers=tuple(layers), leaving=network.leaving)


def _joined(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _extremes(tensors: Sequence[Tensor]) -> Tensor:
    """Least and greatest of several tensors, as a tensor."""
    spans = [span(tensor) for tensor in tensors]
    return np.array([[min(low for low, _ in spans)], [max(high for _, high in spans)]])


def _count(sources: dict[str, Tensor]) -> int:
    return len(next(iter(sources.values())))


def _blocks(
    network: QuantizedNetwork, sources: dict[str, Tensor], states: State
) -> Iterator[tuple[dict[str, Tensor], State]]:
    """Parts of a batch, small enough for the tensors between layers of images, and their state.

    A state is a view of that of the batch.
    """
    first = next(iter(sources.values()))
    count, block = len(first), max(len(first), 1)
    if network.spatial:
        steps = math.prod(first.shape[1:-1])
        most = max(kind.items for kind in network.types.values()) * max(steps, 1)
        block = max(1, 8 * BLOCK // most)
    for start in range(0, max(count, 1), block):
        part = slice(start, start + block)
        yield (
            {name: tensor[part] for name, tensor in sources.items()},
            {
                name: LstmState(hidden=found.hidden[part], cell=found.cell[part])
                for name, found in states.items()
            },
        )


def simulate_trace(network: QuantizedNetwork, x: Batch, state: State | None = None) -> Trace:
    """Trace of a network: every tensor, range and count of every layer."""
    sources = as_inputs(network, x)
    states = as_state(network, state, _count(sources))
    layers: list[LayerTrace] = []
    yielded = dict(sources)
    for layer in network.layers:
        operands = [yielded[source] for source in network.taken[layer.name]]
        layers.append(trace_layer(layer, *operands, state=states.get(layer.name)))
        yielded[layer.name] = layers[-1].activations
    return Trace(inputs=sources, layers=tuple(layers), leaving=network.leaving)


def run_layer(layer: Layer, *operands: Tensor, state: LstmState | None = None) -> Tensor:
    """Outputs of one layer for integers validated by the caller, in a type that may be narrow.

    ``state`` is for a layer that has one; left out, sequences are new.
    """
    leading, rows = _rows(layer, operands)
    found = _driver(layer).run(*rows, *_given(state))
    return found.reshape(*leading, found.shape[-1])


def trace_layer(layer: Layer, *operands: IntArray, state: LstmState | None = None) -> LayerTrace:
    """Trace of one layer, see `run_layer`."""
    leading, rows = _rows(layer, operands)
    return _driver(layer).trace(*rows, *_given(state)).reshaped(leading)


def _rows(layer: Layer, operands: Sequence[Tensor]) -> tuple[tuple[int, ...], list[Tensor]]:
    """Leading axes of the operands, and these with one leading axis: steps of sequences are rows.

    A layer with state tells sequences and steps apart.
    """
    leading = operands[0].shape[:-1]
    if layer.state:
        return leading, list(operands)
    return leading, [operand.reshape(-1, operand.shape[-1]) for operand in operands]


def _given(state: LstmState | None) -> tuple[LstmState, ...]:
    return () if state is None else (state,)


class _Driver(NamedTuple):
    """Driver of a layer, with or without a trace: functions of its operands and its state."""

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
        case Rescale():
            return _Driver(partial(rescale.run, layer), partial(rescale.trace, layer))
        case Resize():
            return _Driver(partial(resize.run, layer), partial(resize.trace, layer))
        case Concat():
            return _Driver(partial(concat.run, layer), partial(concat.trace, layer))
        case Argmax():
            return _Driver(partial(argmax.run, layer), partial(argmax.trace, layer))
        case _:
            assert_never(layer)
