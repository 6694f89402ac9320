"""LSTM layers on a batch of sequences."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fxsim.kernels import lstm
from fxsim.kernels.recurrent import lstm_kernel_of
from fxsim.network import IntArray, QuantizedLstm
from fxsim.network.state import LstmState, reset_state
from fxsim.simulator.linear import counts_of, layer_trace, run_linear
from fxsim.simulator.trace import LayerTrace, LstmStates, LstmTrace


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
        projection = layer_trace(
            layer.projection, seen.outputs, seen.projection_sums, done.outputs, 0, done.clipped
        )
    return LstmTrace(
        name=layer.name,
        input_product=layer_trace(layer.input_product, x, seen.input_sums, seen.input_values, 0, 0),
        hidden_product=layer_trace(
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


def lstm_outputs(layer: QuantizedLstm, x: npt.NDArray[Any], state: LstmState) -> IntArray:
    kernel = lstm_kernel_of(layer)
    if not kernel.exact:
        return run_lstm(layer, x.astype(np.int64), state).activations
    return kernel.run(x, state.cell, state.hidden).outputs


def _run_stepwise(layer: QuantizedLstm, x: IntArray, start: LstmState) -> LstmTrace:
    """A step at a time, with accumulators that may overflow."""
    count, steps, _ = x.shape
    cell, hidden = start.cell.copy(), start.hidden
    cells, constants = layer.cells, lstm_kernel_of(layer).constants
    from_input = run_linear(layer.input_product, x)
    preactivations = np.empty((steps, count, 4 * cells), np.int32)
    gates = np.empty_like(preactivations)
    states = np.empty((steps, count, cells), np.int64)
    outputs = np.empty_like(states)
    hidden_traces, projection_traces = [], []
    for t in range(steps):
        hidden_traces.append(run_linear(layer.hidden_product, hidden))
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
            projection_traces.append(run_linear(layer.projection, hidden))
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
    return LayerTrace(
        name=traces[0].name,
        accumulators=np.stack([trace.accumulators for trace in traces], axis=1),
        activations=np.stack([trace.activations for trace in traces], axis=1),
        **counts_of(traces),
    )
