"""The oracle: a slow, obvious interpreter of a `QuantizedNetwork` on Python integers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias, assert_never

from fxsim.errors import RangeError
from fxsim.network import (
    Argmax,
    Concat,
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
from fxsim.reference.add import run_add
from fxsim.reference.argmax import run_argmax
from fxsim.reference.concat import run_concat
from fxsim.reference.convolution import run_convolution
from fxsim.reference.linear import run_linear
from fxsim.reference.lstm import run_lstm
from fxsim.reference.pool import run_max_pool
from fxsim.reference.rescale import run_rescale
from fxsim.reference.resize import run_resize
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
        case Concat():
            return run_concat(layer, *operands)
        case Resize():
            return run_resize(layer, *operands)
        case Rescale():
            return run_rescale(layer, *operands)
        case _:
            assert_never(layer)


Vector: TypeAlias = Sequence[int] | Mapping[str, Sequence[int]]
"""Integers of one vector: by the names of inputs, where a network has several."""


def run_sequence(
    network: QuantizedNetwork,
    sequence: Sequence[Vector],
    state: Mapping[str, LstmState] | None = None,
) -> list[list[LayerResult]]:
    """Run the vectors of one sequence through every layer.

    Parameters
    ----------
    sequence : sequence of Vector
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
        yielded = _by_name(network, vector)
        results: list[LayerResult] = []
        for layer in network.layers:
            operands = [yielded[source] for source in network.taken[layer.name]]
            result = run_layer(layer, operands, states.get(layer.name))
            if result.state is not None:
                states[layer.name] = result.state
            results.append(result)
            yielded[layer.name] = result.activations
        steps.append(results)
    return steps


def run(network: QuantizedNetwork, vector: Vector) -> list[LayerResult]:
    """Run one vector, of a new sequence if there is state, through every layer of a network.

    Raises
    ------
    RangeError
        If the vector has the wrong length or leaves the input format.
    """
    return run_sequence(network, [vector])[0]


def _by_name(network: QuantizedNetwork, vector: Vector) -> dict[str, Sequence[int]]:
    """Vectors by the names of the inputs, checked."""
    given = vector if isinstance(vector, Mapping) else dict.fromkeys(network.inputs, vector)
    found = dict[str, Sequence[int]]()
    for name, source in network.inputs.items():
        found[name] = given[name]
        if len(given[name]) != source.tensor.items:
            raise RangeError(
                f"{name} must have {source.tensor.items} values, not {len(given[name])}"
            )
        for value in given[name]:
            if not source.activation.format.holds(value):
                raise RangeError(f"{name} must be in {source.activation.format}, not {value}")
    return found
