"""Run a `QuantizedNetwork` on a batch, bit for bit as the hardware does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fxsim.errors import RangeError
from fxsim.formats import AccumulatorMode, Overflow
from fxsim.kernels import linear, lstm, windows
from fxsim.kernels.arith import ROUNDING_CODE
from fxsim.network import (
    IntArray,
    MaxPool,
    QuantizedConvolution,
    QuantizedLinear,
    QuantizedLstm,
    QuantizedNetwork,
)
from fxsim.quantize import quantize_input
from fxsim.tensors import as_vectors
from fxsim.trace import LayerTrace, LstmTrace, PoolTrace, Trace, span

_BLOCK = 1 << 18
"""Integers of windows that are held at a time, so that they stay near the processor."""


def simulate(network: QuantizedNetwork, x: npt.NDArray[Any]) -> IntArray:
    """Output integers for a batch.

    Parameters
    ----------
    x : array, shape (n, *network.input.shape) or (n, inputs)
        Floats are quantized by the network's input quantizer; integers are taken as they are, those
        of shape (n, inputs) in the order of the stream.
        With LSTM layers the shape is (n, t, ...): n sequences of t vectors, each from the initial
        state.

    Returns
    -------
    int64 array, shape (n, outputs), or (n, t, outputs) with LSTM layers
        real = network.output.scale * (output - network.output.zero_point).

    Raises
    ------
    RangeError
        If the shape is wrong, a float is not finite, or an integer leaves the input format.
    """
    return np.concatenate([trace.output for trace in _blocks(network, as_input(network, x))])


def simulate_ranges(network: QuantizedNetwork, x: npt.NDArray[Any]) -> Trace:
    """Like `simulate_trace`, but with images all tensors between the layers are cut short.

    Each holds its least and its greatest integer then, all that a report needs of it: the whole
    ones of thousands of images would not fit.
    """
    source = as_input(network, x)
    if not network.spatial:
        return simulate_trace(network, source)
    traces = list(_blocks(network, source))
    joined = [
        _extremes([trace.layers[k] for trace in traces]) for k in range(len(network.layers) - 1)
    ]
    last = [trace.layers[-1] for trace in traces]
    output = np.concatenate([trace.output for trace in traces])
    return Trace(
        input=source,
        layers=(*joined, replace(_extremes(last), activations=output)),
    )


def _blocks(network: QuantizedNetwork, source: IntArray) -> Iterator[Trace]:
    """Traces of some images at a time, whose tensors are large; of all vectors at once."""
    block = max(len(source), 1)
    if network.spatial:
        block = max(1, 8 * _BLOCK // max(layer.outputs for layer in network.layers))
    for start in range(0, max(len(source), 1), block):
        yield simulate_trace(network, source[start : start + block])


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


def simulate_trace(network: QuantizedNetwork, x: npt.NDArray[Any]) -> Trace:
    """Like `simulate`, with every tensor, range and count of every layer."""
    source = vector = as_input(network, x)
    layers: list[LayerTrace | LstmTrace | PoolTrace] = []
    for layer in network.layers:
        if isinstance(layer, QuantizedLstm):
            layers.append(run_lstm(layer, vector))
        elif isinstance(layer, QuantizedConvolution):
            layers.append(run_convolution(layer, vector))
        elif isinstance(layer, MaxPool):
            layers.append(run_max_pool(layer, vector))
        else:
            layers.append(_run_linear(layer, vector))
        vector = layers[-1].activations
    return Trace(input=source, layers=tuple(layers))


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
    values = x if x.shape[leading:] == (inputs,) else as_vectors(x, shape)
    return np.ascontiguousarray(values, dtype=np.int64)


def run_lstm(layer: QuantizedLstm, x: IntArray) -> LstmTrace:
    """Run one LSTM layer over ``n`` sequences from the initial state; ``x`` is (n, t, inputs)."""
    count, steps, _ = x.shape
    cells, fmt = layer.cells, layer.cell_output.format
    from_input = _run_linear(layer.input_product, x)
    tables = [np.array(table.expand()) for table in (layer.sigmoid, layer.tanh)]
    preactivations = np.empty((count, steps, 4 * cells), np.int64)
    gates = np.empty_like(preactivations)
    states = np.empty((count, steps, cells), np.int64)
    outputs = np.empty_like(states)
    hidden = np.full((count, layer.outputs), layer.output.zero_point, np.int64)
    cell = np.zeros((count, cells), np.int64)
    hidden_traces, projection_traces = [], []
    for t in range(steps):
        hidden_traces.append(_run_linear(layer.hidden_product, hidden))
        lstm.step(
            np.ascontiguousarray(from_input.activations[:, t]),
            hidden_traces[-1].activations,
            cell,
            tables[0],
            tables[1],
            layer.guard_bits,
            layer.forget_shift,
            layer.input_shift,
            layer.cell_shift,
            layer.output_shift,
            ROUNDING_CODE[layer.rounding],
            layer.cell.min,
            layer.cell.max,
            fmt.min,
            fmt.max,
            preactivations[:, t],
            gates[:, t],
            outputs[:, t],
        )
        states[:, t] = cell
        hidden = np.ascontiguousarray(outputs[:, t])
        if layer.projection is not None:
            projection_traces.append(_run_linear(layer.projection, hidden))
            hidden = projection_traces[-1].activations
    projection = _over_time(projection_traces) if layer.projection is not None else None
    return LstmTrace(
        name=layer.name,
        input_product=from_input,
        hidden_product=_over_time(hidden_traces),
        projection=projection,
        preactivations=preactivations,
        gates=gates,
        cells=states,
        cell_outputs=outputs,
        activations=outputs if projection is None else projection.activations,
    )


def run_convolution(layer: QuantizedConvolution, x: IntArray) -> LayerTrace:
    """Run one convolution on images (n, inputs), some at a time: their windows take much room."""
    shape = layer.windows
    block = max(1, _BLOCK // (shape.places * shape.size))
    parts = []
    for start in range(0, max(len(x), 1), block):
        images = x[start : start + block].reshape(-1, shape.height, shape.width, shape.channels)
        groups = [
            _run_linear(
                product,
                windows.gather(
                    images,
                    group * shape.group_channels,
                    shape.group_channels,
                    shape.kernel,
                    (shape.rows, shape.columns),
                    shape.stride,
                    shape.padding,
                    layer.input.zero_point,
                ),
            )
            for group, product in enumerate(layer.group_products)
        ]
        parts.append(_joined(groups, axis=1, shape=(len(images), layer.outputs)))
    return _joined(parts, axis=0, shape=(len(x), layer.outputs))


def run_max_pool(layer: MaxPool, x: IntArray) -> PoolTrace:
    """Run max pooling on images (n, inputs)."""
    shape = layer.windows
    images = x.reshape(-1, shape.height, shape.width, shape.channels)
    pooled = windows.greatest(
        images, shape.kernel, (shape.rows, shape.columns), shape.stride, shape.padding
    )
    return PoolTrace(name=layer.name, activations=pooled.reshape(len(x), layer.outputs))


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
    leading, x = x.shape[:-1], np.ascontiguousarray(x).reshape(-1, layer.inputs)
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
        accumulators=accumulators.reshape(*leading, layer.outputs),
        activations=activations.reshape(*leading, layer.outputs),
        overflows=overflows,
        clipped=clipped,
        products=products,
        zero_activations=products - layer.outputs * int(active.sum()),
        zero_products=products - int((active * weights).sum()),
    )
