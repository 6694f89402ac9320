"""Run a `QuantizedNetwork` on a batch, bit for bit as the hardware does."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from fxsim.errors import RangeError
from fxsim.kernels import lstm, windows
from fxsim.kernels.epilogue import narrowest
from fxsim.kernels.linear import kernel_of
from fxsim.kernels.recurrent import lstm_kernel_of
from fxsim.network import (
    IntArray,
    Layer,
    MaxPool,
    QuantizedConvolution,
    QuantizedLinear,
    QuantizedLstm,
    QuantizedNetwork,
)
from fxsim.quantize import quantize_input
from fxsim.state import LstmState, State, as_state, reset_state
from fxsim.tensors import as_vectors
from fxsim.trace import LayerTrace, LstmStates, LstmTrace, PoolTrace, Trace, span

T = TypeVar("T", bound=np.generic)

_BLOCK = 1 << 18
"""Integers of windows that are held at a time, so that they stay near the processor."""


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
    source = as_input(network, x, narrowest(network.input.activation.format))
    states = as_state(network, state, len(source))
    outputs = []
    for block in _blocks(network, source):
        vector: npt.NDArray[Any] = block
        for layer in network.layers:
            vector = run_layer(layer, vector, states.get(layer.name))
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
        block = max(1, 8 * _BLOCK // max(layer.outputs for layer in network.layers))
    for start in range(0, max(len(source), 1), block):
        yield source[start : start + block]


def _extremes(traces: Sequence[LayerTrace | LstmTrace | PoolTrace]) -> LayerTrace | PoolTrace:
    """One trace of a layer, with the extremes of its tensors."""

    def limits(field: str) -> IntArray:
        spans = [span(getattr(trace, field)) for trace in traces]
        return np.array([[min(low for low, _ in spans)], [max(high for _, high in spans)]])

    products = [trace for trace in traces if isinstance(trace, LayerTrace)]
    if not products:
        return PoolTrace(name=traces[0].name, activations=limits("activations"))
    return LayerTrace(
        name=traces[0].name,
        accumulators=limits("accumulators"),
        activations=limits("activations"),
        **_counts(products),
    )


def simulate_trace(
    network: QuantizedNetwork, x: npt.NDArray[Any], state: State | None = None
) -> Trace:
    """Like `simulate`, with every tensor, range and count of every layer."""
    source = vector = as_input(network, x)
    states = as_state(network, state, len(source))
    layers: list[LayerTrace | LstmTrace | PoolTrace] = []
    for layer in network.layers:
        if isinstance(layer, QuantizedLstm):
            layers.append(run_lstm(layer, vector, states[layer.name]))
        elif isinstance(layer, QuantizedConvolution):
            layers.append(run_convolution(layer, vector))
        elif isinstance(layer, MaxPool):
            layers.append(PoolTrace(name=layer.name, activations=_pooled(layer, vector)))
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
    if isinstance(layer, QuantizedConvolution):
        return _convolved(layer, x)
    if isinstance(layer, MaxPool):
        return _pooled(layer, x)
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


def run_convolution(layer: QuantizedConvolution, x: IntArray) -> LayerTrace:
    """Run one convolution on images (n, inputs), some at a time: their windows take much room."""
    parts = []
    for count, groups in _windows(layer, x):
        traces = [_run_linear(product, seen) for product, seen in groups]
        parts.append(_joined(traces, axis=1, shape=(count, layer.outputs)))
    return _joined(parts, axis=0, shape=(len(x), layer.outputs))


def _convolved(layer: QuantizedConvolution, x: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Like `run_convolution`, with the activations only."""
    parts = []
    for count, groups in _windows(layer, x):
        found = [kernel_of(product).activations(seen) for product, seen in groups]
        whole = found[0] if len(found) == 1 else np.concatenate(found, axis=1)
        parts.append(whole.reshape(count, layer.outputs))
    return np.concatenate(parts)


def _windows(
    layer: QuantizedConvolution, x: npt.NDArray[Any]
) -> Iterator[tuple[int, Iterator[tuple[QuantizedLinear, npt.NDArray[Any]]]]]:
    """Some images at a time: their number, and each group's product with its windows."""
    shape = layer.windows
    block = max(1, _BLOCK // (shape.places * shape.size))
    places, depth = (shape.rows, shape.columns), shape.group_channels
    for start in range(0, max(len(x), 1), block):
        images = _images(layer, x[start : start + block])
        yield (
            len(images),
            (
                (
                    product,
                    windows.gather(
                        images,
                        group * depth,
                        depth,
                        shape.kernel,
                        places,
                        shape.stride,
                        shape.padding,
                        layer.input.zero_point,
                    ),
                )
                for group, product in enumerate(layer.group_products)
            ),
        )


def _pooled(layer: MaxPool, x: npt.NDArray[T]) -> npt.NDArray[T]:
    """Max pooling of images (n, inputs)."""
    shape = layer.windows
    places = shape.rows, shape.columns
    least = layer.input.format.min
    pooled = windows.greatest(
        _images(layer, x), shape.kernel, places, shape.stride, shape.padding, least
    )
    return pooled.reshape(len(x), layer.outputs)


def _images(layer: QuantizedConvolution | MaxPool, x: npt.NDArray[T]) -> npt.NDArray[T]:
    shape = layer.windows
    return np.ascontiguousarray(x).reshape(-1, shape.height, shape.width, shape.channels)


def _joined(traces: list[LayerTrace], *, axis: int, shape: tuple[int, int]) -> LayerTrace:
    """One trace with tensors of ``shape``, from parts that follow one another along ``axis``."""

    def tensor(field: str) -> IntArray:
        parts = [getattr(trace, field) for trace in traces]
        return np.concatenate(parts, axis=axis).reshape(shape)

    return LayerTrace(
        name=traces[0].name,
        accumulators=tensor("accumulators"),
        activations=tensor("activations"),
        **_counts(traces),
    )


def _counts(traces: list[LayerTrace]) -> dict[str, int]:
    """Sums of all that is counted."""
    counts = ("overflows", "clipped", "products", "zero_activations", "zero_products")
    return {count: sum(getattr(trace, count) for trace in traces) for count in counts}


def _over_time(traces: list[LayerTrace]) -> LayerTrace:
    """One trace of shape (n, t, outputs) from those of single steps."""
    return LayerTrace(
        name=traces[0].name,
        accumulators=np.stack([trace.accumulators for trace in traces], axis=1),
        activations=np.stack([trace.activations for trace in traces], axis=1),
        **_counts(traces),
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
