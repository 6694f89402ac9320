"""Run a `QuantizedNetwork` on a batch, bit for bit as the hardware does."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from fxsim.errors import RangeError
from fxsim.kernels import lstm
from fxsim.kernels.linear import kernel_of
from fxsim.kernels.recurrent import lstm_kernel_of
from fxsim.network import IntArray, Layer, QuantizedLinear, QuantizedLstm, QuantizedNetwork
from fxsim.quantize import quantize_input
from fxsim.state import LstmState, State, as_state, reset_state
from fxsim.trace import LayerTrace, LstmStates, LstmTrace, Trace


def simulate(
    network: QuantizedNetwork, x: npt.NDArray[Any], state: State | None = None
) -> IntArray:
    """Output integers for a batch.

    Parameters
    ----------
    x : array, shape (n, *network.input.shape) or (n, inputs)
        Floats are quantized by the network's input quantizer; integers are taken as they are.
        With LSTM layers the shape is (n, t, ...): n sequences of t vectors.
    state : mapping of str to LstmState, optional
        Where the sequences go on: `fxsim.trace.Trace.state` of what came before. Left out, each
        is a new sequence.

    Returns
    -------
    int64 array, shape (n, outputs), or (n, t, outputs) with LSTM layers
        real = network.output.scale * (output - network.output.zero_point).

    Raises
    ------
    RangeError
        If a shape is wrong, a float is not finite, or an integer leaves its format.
    """
    vector: npt.NDArray[Any] = as_input(network, x)
    states = as_state(network, state, len(vector))
    for layer in network.layers:
        vector = run_layer(layer, vector, states.get(layer.name))
    return vector.astype(np.int64, copy=False)


def simulate_trace(
    network: QuantizedNetwork, x: npt.NDArray[Any], state: State | None = None
) -> Trace:
    """Like `simulate`, with every tensor, range and count of every layer."""
    source = vector = as_input(network, x)
    states = as_state(network, state, len(source))
    layers: list[LayerTrace | LstmTrace] = []
    for layer in network.layers:
        if isinstance(layer, QuantizedLstm):
            layers.append(run_lstm(layer, vector, states[layer.name]))
        else:
            layers.append(_run_linear(layer, vector))
        vector = layers[-1].activations
    return Trace(input=source, layers=tuple(layers))


def run_layer(
    layer: Layer, x: npt.NDArray[Any], state: LstmState | None = None
) -> npt.NDArray[Any]:
    """What one layer yields for integers validated by the caller, in a type that may be narrow."""
    if isinstance(layer, QuantizedLstm):
        return _lstm_outputs(layer, x, state or reset_state(layer, len(x)))
    rows = x.reshape(-1, layer.inputs)
    return kernel_of(layer).activations(rows).reshape(*x.shape[:-1], layer.outputs)


def as_input(network: QuantizedNetwork, x: npt.NDArray[Any]) -> IntArray:
    """Batch ``x`` as validated int64 input; see `simulate`."""
    shape = network.input.shape
    inputs = network.layers[0].inputs
    leading = 2 if network.recurrent else 1
    if x.ndim <= leading or x.shape[leading:] not in {shape, (inputs,)}:
        axes = ("n", "t")[:leading] + tuple(map(str, shape))
        raise RangeError(f"input must have shape ({', '.join(axes)}), not {x.shape}")
    batch = x.reshape(-1, *x.shape[leading:])
    if x.dtype.kind == "f":
        values = quantize_input(network.input, batch.reshape(-1, *shape))
        return values.reshape(*x.shape[:leading], inputs)
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
    return np.ascontiguousarray(x, dtype=np.int64).reshape(*x.shape[:leading], inputs)


def run_lstm(layer: QuantizedLstm, x: IntArray, state: LstmState | None = None) -> LstmTrace:
    """Run one LSTM layer over ``n`` sequences (n, t, inputs) from ``state``, or as new ones."""
    kernel = lstm_kernel_of(layer)
    start = state or reset_state(layer, len(x))
    if not kernel.exact:
        return _run_stepwise(layer, x, start)
    cell, hidden = start.cell.copy(), start.hidden.copy()
    done = kernel.run(x, cell, hidden, states=True, details=True)
    seen, projection = done.details, None
    before = np.concatenate([start.hidden[:, None], done.outputs[:, :-1]], axis=1)[:, : x.shape[1]]
    if layer.projection is not None:
        projection = _layer_trace(
            layer.projection, seen.outputs, seen.projection_sums, done.outputs, 0, done.clipped
        )
    return LstmTrace(
        name=layer.name,
        input_product=_layer_trace(
            layer.input_product, x, seen.input_sums, seen.input_values, 0, 0
        ),
        hidden_product=_layer_trace(
            layer.hidden_product, before, seen.hidden_sums, seen.hidden_values, 0, 0
        ),
        projection=projection,
        preactivations=seen.preactivations,
        gates=done.states.gates.astype(np.int64),
        cells=done.states.cells.astype(np.int64),
        cell_outputs=seen.outputs,
        activations=done.outputs,
        start=start,
        state=LstmState(hidden=hidden, cell=cell),
    )


def run_lstm_states(layer: QuantizedLstm, x: IntArray) -> LstmStates:
    """Like `run_lstm`, with no more than a backward pass needs."""
    kernel = lstm_kernel_of(layer)
    if not kernel.exact:
        trace = run_lstm(layer, x)
        return LstmStates(gates=trace.gates, cells=trace.cells, activations=trace.activations)
    start = reset_state(layer, len(x))
    done = kernel.run(x, start.cell, start.hidden, states=True)
    return LstmStates(gates=done.states.gates, cells=done.states.cells, activations=done.outputs)


def _lstm_outputs(layer: QuantizedLstm, x: npt.NDArray[Any], state: LstmState) -> IntArray:
    kernel = lstm_kernel_of(layer)
    if not kernel.exact:
        return run_lstm(layer, x.astype(np.int64), state).activations
    return kernel.run(x, state.cell, state.hidden).outputs


def _run_stepwise(layer: QuantizedLstm, x: IntArray, start: LstmState) -> LstmTrace:
    """A step at a time, with accumulators that may overflow."""
    count, steps, _ = x.shape
    cell, hidden = start.cell.copy(), start.hidden
    cells, constants = layer.cells, lstm_kernel_of(layer).constants
    from_input = _run_linear(layer.input_product, x)
    preactivations = np.empty((steps, count, 4 * cells), np.int32)
    gates = np.empty_like(preactivations)
    states = np.empty((steps, count, cells), np.int64)
    outputs = np.empty_like(states)
    hidden_traces, projection_traces = [], []
    for t in range(steps):
        hidden_traces.append(_run_linear(layer.hidden_product, hidden))
        lstm.step(
            np.ascontiguousarray(from_input.activations[:, t]),
            hidden_traces[-1].activations,
            cell,
            constants,
            preactivations[t],
            gates[t],
            outputs[t],
        )
        states[t] = cell
        hidden = outputs[t]
        if layer.projection is not None:
            projection_traces.append(_run_linear(layer.projection, hidden))
            hidden = projection_traces[-1].activations
    projection = _over_time(projection_traces) if layer.projection is not None else None
    tensors = [tensor.astype(np.int64).swapaxes(0, 1) for tensor in (preactivations, gates, states)]
    cell_outputs = outputs.swapaxes(0, 1)
    return LstmTrace(
        name=layer.name,
        input_product=from_input,
        hidden_product=_over_time(hidden_traces),
        projection=projection,
        preactivations=tensors[0],
        gates=tensors[1],
        cells=tensors[2],
        cell_outputs=cell_outputs,
        activations=cell_outputs if projection is None else projection.activations,
        start=start,
        state=LstmState(hidden=hidden.copy(), cell=cell),
    )


def _over_time(traces: list[LayerTrace]) -> LayerTrace:
    """One trace of shape (n, t, outputs) from those of single steps."""
    counts = ("overflows", "clipped", "products", "zero_activations", "zero_products")
    return LayerTrace(
        name=traces[0].name,
        accumulators=np.stack([trace.accumulators for trace in traces], axis=1),
        activations=np.stack([trace.activations for trace in traces], axis=1),
        **{count: sum(getattr(trace, count) for trace in traces) for count in counts},
    )


def _run_linear(layer: QuantizedLinear, x: IntArray) -> LayerTrace:
    """Apply a layer to the last axis of ``x``."""
    kernel = kernel_of(layer)
    accumulators, overflows = kernel.accumulate(x.reshape(-1, layer.inputs), count=True)
    activations, clipped = kernel.requantize(accumulators)
    return _layer_trace(layer, x, accumulators, activations, overflows, clipped)


def _layer_trace(
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
