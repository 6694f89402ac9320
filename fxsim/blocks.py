"""Blocks of the hardware of each layer, and of a whole network, for the machine of `fxsim.flow`."""

from __future__ import annotations

from collections.abc import Mapping

from fxsim import flow
from fxsim.errors import RangeError
from fxsim.network import (
    INPUT,
    Argmax,
    IntArray,
    Layer,
    MaxPool,
    QuantizedAdd,
    QuantizedConvolution,
    QuantizedLinear,
    QuantizedNetwork,
)

SUM_LATENCY = 2
"""Cycles from the operands of an add to their sum: products, sum."""

SHIFT_LATENCY = 2
"""Cycles of a requantizer without a multiplier."""


def mac_latency(layer: QuantizedLinear) -> int:
    """Cycles from a tile's last input beat to its accumulators.

    Weight memory and accumulator take one each, the adder tree ceil(log2(simd)), and the products
    1 (ternary), 2 (DSP block) or half the weight's word length (radix-4 digits in LUTs).
    """
    bits = layer.weight_format.bits
    products = 1 if layer.ternary else 2 if layer.folding.dsp else -(-bits // 2)
    return 2 + products + (layer.folding.simd - 1).bit_length()


def requantizer_latency(layer: QuantizedLinear) -> int:
    """Cycles from accumulators to activations; 0 without a requantizer."""
    if layer.requantizer is None:
        return 0
    return 2 + layer.requantizer.scales + layer.requantizer.per_channel


def times_and_depths(
    network: QuantizedNetwork,
    vectors: int,
    depths: Mapping[str, int] | None = None,
    latest: IntArray | None = None,
) -> tuple[IntArray, dict[str, int]]:
    """Cycle of each output beat, and the depths with which no queue would refuse a beat.

    Parameters
    ----------
    network : QuantizedNetwork
        Without LSTM layers.
    vectors : int
    depths : mapping of str to int, optional
        Depths by the name of the add, in place of those of the network.
    latest : int64 array, optional
        Cycle that each output beat must not be later than.

    Raises
    ------
    RangeError
        If a queue is so short that its join waits forever, or a beat is late.
    """
    depths = {add.name: add.depth for add in network.adds} if depths is None else depths
    machine, queues = flow.Machine(), {}
    shortcuts: dict[str, tuple[int, int]] = {}  # stream to an add, and its lanes

    def fork(start: str, stream: int, lanes: int) -> int:
        """Streams from what ``start`` yields to each add; the one that goes on is returned."""
        adds = network.shortcuts(start)
        if not adds:
            return stream
        stream, *others = machine.add(flow.fork(), stream, sinks=1 + len(adds))
        for add, other in zip(adds, others, strict=True):
            shortcuts[add.name] = other, lanes
        return stream

    lanes = network.lanes_in
    stream = fork(INPUT, 0, lanes)
    for layer in network.layers:
        if isinstance(layer, QuantizedAdd):
            other, other_lanes = shortcuts[layer.name]
            (queued,) = machine.add(flow.queue(depths[layer.name]), other)
            queues[layer.name] = queued
            other = machine.chain(flow.resize(other_lanes, layer.lanes, layer.shape[0]), queued)
            stream = machine.chain(flow.resize(lanes, layer.lanes, layer.shape[0]), stream)
            (stream,) = machine.add(flow.join(SUM_LATENCY), stream, other)
            stream = machine.chain([flow.pipe(1, SHIFT_LATENCY)], stream)
        else:
            stream = machine.chain(layer_blocks(layer, lanes), stream)
        lanes = layer.lanes_out
        stream = fork(layer.name, stream, lanes)
    first, last = network.layers[0], network.layers[-1]
    beats_in, beats_out = -(-first.inputs // first.lanes_in), -(-last.outputs // lanes)
    try:
        times, found = machine.run(vectors * beats_in, vectors * beats_out, latest)
    except RangeError:
        asked = ", ".join(f"{name}: {depth}" for name, depth in depths.items())
        raise RangeError(
            f"depths of adds must be greater, not {asked}: their joins wait forever"
        ) from None
    return times, {name: found[queued] for name, queued in queues.items()}


def layer_blocks(layer: Layer, lanes_in: int) -> list[flow.Block]:
    """Blocks of a layer that has neither state nor a shortcut, in the order of the data."""
    if isinstance(layer, MaxPool):
        windows = layer.by_lanes
        return [
            *flow.resize(lanes_in, layer.lanes, windows.channels),
            flow.window(windows, layer.lanes),
            flow.pipe(windows.size // layer.lanes, 1),
        ]
    if isinstance(layer, Argmax):
        return [
            *flow.resize(lanes_in, layer.lanes, layer.items),
            flow.pipe(layer.items // layer.lanes, 1),
        ]
    (product,) = layer.linears
    simd = product.folding.simd
    if isinstance(layer, QuantizedConvolution):
        front = [
            *flow.resize(lanes_in, layer.lanes_in, layer.windows.channels),
            flow.window(layer.windows, simd, layer.repeats),
        ]
    else:
        front = [
            *flow.resize(lanes_in, simd, product.inputs),
            flow.buffer(product.beats, product.tiles),
        ]
    back = [
        flow.pipe(product.beats, mac_latency(product)),
        *flow.resize(product.folding.rows, product.lanes_out, product.outputs),
    ]
    if product.requantizer is not None:
        back.append(flow.pipe(1, requantizer_latency(product)))
    return front + back
