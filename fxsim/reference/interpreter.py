"""The oracle: a slow, obvious interpreter of a `QuantizedNetwork` on Python integers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import assert_never

from fxsim.errors import RangeError
from fxsim.network import (
    INPUT,
    Argmax,
    Layer,
    MaxPool,
    QuantizedAdd,
    QuantizedConvolution,
    QuantizedLinear,
    QuantizedLstm,
    QuantizedNetwork,
)
from fxsim.reference.add import run_add
from fxsim.reference.argmax import run_argmax
from fxsim.reference.convolution import run_convolution
from fxsim.reference.linear import run_linear
from fxsim.reference.lstm import run_lstm
from fxsim.reference.pool import run_max_pool
from fxsim.reference.result import LayerResult, LstmState, initial_state


def run_layer(
    layer: Layer, operands: Sequence[Sequence[int]], state: LstmState | None = None
) -> LayerResult:
    """Apply a layer of any kind to its operands; without ``state``, at the start of a sequence."""
    match layer:
        case QuantizedLinear():
            return run_linear(layer, *operands)
        case QuantizedLstm():
            return run_lstm(layer, operands[0], state or initial_state(layer))
        case QuantizedConvolution():
            return run_convolution(layer, *operands)
        case MaxPool():
            return run_max_pool(layer, *operands)
        case QuantizedAdd():
            return run_add(layer, *operands)
        case Argmax():
            return run_argmax(layer, *operands)
        case _:
            assert_never(layer)


def run_sequence(
    network: QuantizedNetwork,
    sequence: Sequence[Sequence[int]],
    state: Mapping[str, LstmState] | None = None,
) -> list[list[LayerResult]]:
    """Run the vectors of one sequence through every layer.

    Parameters
    ----------
    sequence : sequence of sequences of int
    state : mapping of str to LstmState, optional
        By the name of the layer, where the sequence goes on; left out, the initial state.

    Returns
    -------
    list of list
        For each vector, the result of each layer.

    Raises
    ------
    RangeError
        If a vector has the wrong length or leaves the input format.
    """
    states = {
        layer.name: initial_state(layer) if state is None else state[layer.name]
        for layer in network.layers
        if layer.state
    }
    steps: list[list[LayerResult]] = []
    for vector in sequence:
        _check_input(network, vector)
        results: list[LayerResult] = []
        yielded = {INPUT: vector}
        before: Sequence[int] = vector
        for layer in network.layers:
            operands = before, *(yielded[source] for source in layer.sources)
            result = run_layer(layer, operands, states.get(layer.name))
            if result.state is not None:
                states[layer.name] = result.state
            results.append(result)
            yielded[layer.name] = before = result.activations
        steps.append(results)
    return steps


def run(network: QuantizedNetwork, vector: Sequence[int]) -> list[LayerResult]:
    """Run one vector, of a new sequence if there is state, through every layer of a network.

    Raises
    ------
    RangeError
        If the vector has the wrong length or leaves the input format.
    """
    return run_sequence(network, [vector])[0]


def _check_input(network: QuantizedNetwork, vector: Sequence[int]) -> None:
    if len(vector) != network.layers[0].inputs:
        raise RangeError(f"input must have {network.layers[0].inputs} values, not {len(vector)}")
    for value in vector:
        if not network.input.activation.format.holds(value):
            raise RangeError(f"input must be in {network.input.activation.format}, not {value}")
