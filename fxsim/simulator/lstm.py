"""LSTM layers on a batch of sequences."""

from __future__ import annotations

import numpy as np

from fxsim.kernels import lstm
from fxsim.kernels.recurrent import lstm_kernel_of
from fxsim.network import IntArray, QuantizedLstm
from fxsim.network.state import LstmState, reset_state
from fxsim.simulator import linear
from fxsim.simulator.trace import LayerTrace, Tensor, combined


def run(layer: QuantizedLstm, x: Tensor, state: LstmState | None = None) -> IntArray:
    """Outputs for ``n`` sequences (n, t, inputs) from ``state``, or as new ones.

    The state is the one after the last step then.
    """
    start, kernel = state or reset_state(layer, len(x)), lstm_kernel_of(layer)
    if not kernel.exact:
        seen = trace(layer, x.astype(np.int64), start)
        assert seen.state is not None
        start.hidden[:], start.cell[:] = seen.state.hidden, seen.state.cell
        return seen.activations
    return kernel.run(x, start.cell, start.hidden).outputs


def trace(layer: QuantizedLstm, x: IntArray, state: LstmState | None = None) -> LayerTrace:
    """Trace of `run`, with gates, cells and products of every step."""
    kernel = lstm_kernel_of(layer)
    start = state or reset_state(layer, len(x))
    if not kernel.exact:
        return _trace_stepwise(layer, x, start)
    cell, hidden = start.cell.copy(), start.hidden.copy()
    done = kernel.run(x, cell, hidden, states=True, details=True)
    seen, projection = done.details, layer.projection
    before = np.concatenate([start.hidden[:, None], done.outputs[:, :-1]], axis=1)[:, : x.shape[1]]
    u, v = layer.input_product, layer.hidden_product
    parts = [
        linear.product_trace(u, x, seen.input_sums, seen.input_values, 0, 0),
        linear.product_trace(v, before, seen.hidden_sums, seen.hidden_values, 0, 0),
    ]
    if projection is not None:
        sums, clipped = seen.projection_sums, done.clipped
        parts.append(linear.product_trace(projection, seen.outputs, sums, done.outputs, 0, clipped))
    return LayerTrace(
        name=layer.name,
        tensors={
            "preactivations": seen.preactivations,
            "gates": done.states.gates.astype(np.int64),
            "cell": done.states.cells.astype(np.int64),
            "cell_outputs": seen.outputs,
            "activations": done.outputs,
        },
        counts={},
        parts=tuple(parts),
        start=start,
        state=LstmState(hidden=hidden, cell=cell),
    )


def trace_states(layer: QuantizedLstm, x: IntArray) -> LayerTrace:
    """Trace with no more than a backward pass needs, of any integer type."""
    kernel = lstm_kernel_of(layer)
    if not kernel.exact:
        return trace(layer, x)
    start = reset_state(layer, len(x))
    done = kernel.run(x, start.cell, start.hidden, states=True)
    return LayerTrace(
        name=layer.name,
        tensors={
            "gates": done.states.gates,
            "cell": done.states.cells,
            "activations": done.outputs,
        },
        counts={},
    )


def _trace_stepwise(layer: QuantizedLstm, x: IntArray, start: LstmState) -> LayerTrace:
    """A step at a time, with accumulators that may overflow."""
    count, steps, _ = x.shape
    cell, hidden = start.cell.copy(), start.hidden
    cells, constants = layer.cells, lstm_kernel_of(layer).constants
    from_input = linear.trace(layer.input_product, x)
    preactivations = np.empty((steps, count, 4 * cells), np.int32)
    gates = np.empty_like(preactivations)
    states = np.empty((steps, count, cells), np.int64)
    outputs = np.empty_like(states)
    hidden_traces, projection_traces = [], []
    for t in range(steps):
        hidden_traces.append(linear.trace(layer.hidden_product, hidden))
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
            projection_traces.append(linear.trace(layer.projection, hidden))
            hidden = projection_traces[-1].activations
    over_time = [_over_time(traces) for traces in (hidden_traces, projection_traces) if traces]
    tensors = [tensor.astype(np.int64).swapaxes(0, 1) for tensor in (preactivations, gates, states)]
    cell_outputs = outputs.swapaxes(0, 1)
    return LayerTrace(
        name=layer.name,
        tensors={
            "preactivations": tensors[0],
            "gates": tensors[1],
            "cell": tensors[2],
            "cell_outputs": cell_outputs,
            "activations": over_time[-1].activations if projection_traces else cell_outputs,
        },
        counts={},
        parts=(from_input, *over_time),
        start=start,
        state=LstmState(hidden=hidden.copy(), cell=cell),
    )


def _over_time(traces: list[LayerTrace]) -> LayerTrace:
    """One trace of shape (n, t, outputs) from those of single steps."""
    return combined(traces, lambda tensors: np.stack(tensors, axis=1))
