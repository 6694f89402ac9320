"""Hardware that a network needs at the least, from the network alone.

It knows the design of each kind of layer (docs/architecture.md) and nothing of plans: which lanes
streams have, where their number changes, how much is stored and multiplied. A plan with more wastes
hardware; neither the regression nor the count of cycles need notice, as both follow the plan.
"""

from __future__ import annotations

from collections import Counter
from math import lcm

import numpy as np

from fxsim.network import (
    INPUT,
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
    Windows,
)

Needs = Counter[str]
"""Amounts by name: blocks of each kind, sinks of forks, cells, lanes without cells, memory bits."""


def needed(network: QuantizedNetwork) -> Needs:
    """Amounts of hardware that a network needs."""
    found: Needs = Counter()
    lanes = {INPUT: network.layers[0].lanes_in}
    takers: Counter[str] = Counter()
    for layer in network.layers:
        sources, depths = network.taken[layer.name], network.depths.get(layer.name, ())
        _layer(found, layer, [lanes[source] for source in sources])
        for source, depth, operand in zip(sources, depths, layer.operands, strict=False):
            if depth:
                found["queue"] += 1
                bits = lcm(lanes[source], layer.lanes_in) * operand.activation.format.bits
                found["memory bits"] += (depth - 1) * bits
        if isinstance(layer, QuantizedAdd | Concat | Rescale | Argmax):
            for source in sources:
                _skid(found, network, source, lanes)
        lanes[layer.name] = _lanes_out(layer)
        takers.update(sources)
    for name in network.leaving:
        if not network.output_depths.get(name):
            _skid(found, network, name, lanes)
    for count in takers.values():
        found["fork"] += count > 1
        found["fork sinks"] += count if count > 1 else 0
    recurrent = sum(isinstance(layer, QuantizedLstm) for layer in network.layers)
    if recurrent:
        ends = network.ends_depth or 16 * len(network.layers)
        others = len(network.inputs) - 1 + len(network.leaving)
        found["memory bits"] += ends * (recurrent + others)
    return found


def _skid(found: Needs, network: QuantizedNetwork, source: str, lanes: dict[str, int]) -> None:
    """A word of room where a layer without a memory follows one: registers follow registers."""
    at = source
    while at != INPUT and isinstance(layer := network[at], Resize) and layer.factors == (1, 1):
        (at,) = network.taken[at]  # it only changes lanes
    if at != INPUT and not isinstance(network[at], QuantizedLstm | Resize):
        found["skid"] += 1
        found["skid bits"] += lanes[source] * network[source].output.format.bits


def _layer(found: Needs, layer: Layer, sources: list[int]) -> None:
    before = sources[0]
    if isinstance(layer, QuantizedLstm):
        _lstm(found, layer, before)
    elif isinstance(layer, QuantizedConvolution):
        product, windows = layer.product, layer.windows
        simd = product.folding.simd
        taken = min(simd, windows.channels // windows.groups)
        _resize(found, before, taken)
        _rows(found, windows, simd, layer.input.format.bits)
        _product(found, product, _fewest_lanes(product))
    elif isinstance(layer, MaxPool):
        _resize(found, before, layer.lanes)
        _rows(found, layer.windows, layer.lanes, layer.input.format.bits)
        found["greatest"] += 1
        found["lanes"] += layer.lanes
    elif isinstance(layer, QuantizedAdd):
        for source in sources:
            _resize(found, source, layer.lanes)
        found["sum"] += 1
        found["requantizer"] += 1
        found["skid"] += 1
        found["skid bits"] += layer.lanes * layer.accumulator.bits
        found["lanes"] += 2 * layer.lanes
        found["accumulator bits"] += layer.lanes * layer.accumulator.bits
    elif isinstance(layer, Concat):
        for source in sources:
            _resize(found, source, layer.lanes)
        found["concat"] += 1
        found["lanes"] += layer.lanes
    elif isinstance(layer, Resize):
        _resize(found, before, layer.lanes)
        (channels, _, width), (vertical, horizontal) = layer.shape, layer.factors
        bits, words = layer.lanes * layer.input.format.bits, channels // layer.lanes
        for items, times in ((width * words, vertical), (words, horizontal)):
            if times > 1:
                _vectors(found, bits, items)
    elif isinstance(layer, Rescale):
        _resize(found, before, layer.lanes)
        found["requantizer"] += 1
        found["lanes"] += layer.lanes
        factor, below = layer.tail.multiplier, layer.tail.below
        offset = layer.tail.offset - factor * layer.input.zero_point
        for constants in (factor, offset, *([offset + below] if below.any() else [])):
            if len(np.unique(constants)) > 1:
                found["memory bits"] += layer.shape[0] * _bits(constants)
    elif isinstance(layer, Argmax):
        _resize(found, before, layer.lanes)
        found["greatest"] += 1
        found["lanes"] += layer.lanes
        found["place bits"] += (layer.items - 1).bit_length()
    else:
        _linear(found, layer, before, _fewest_lanes(layer))


def _linear(
    found: Needs, layer: QuantizedLinear, before: int, after: int, bias: IntArray | None = None
) -> None:
    """Two vectors are stored, so that one can come in while the other is given out."""
    simd = layer.folding.simd
    _resize(found, before, simd)
    _vectors(found, simd * layer.input.format.bits, -(-layer.inputs // simd))
    _product(found, layer, after, bias)


def _product(
    found: Needs, product: QuantizedLinear, after: int, bias: IntArray | None = None
) -> None:
    rows, simd, outputs = product.folding.rows, product.folding.simd, product.outputs
    tiles, beats = -(-outputs // rows), -(-product.inputs // simd)
    found["mac_array"] += 1
    found["cells"] += rows * simd
    found["accumulator bits"] += rows * product.accumulator.format.bits
    found["dsp cells"] += rows * simd * product.folding.dsp
    found["memory bits"] += rows * simd * product.code.bits * tiles * beats
    padded = np.zeros(tiles * rows, np.int64)
    padded[:outputs] = product.bias if bias is None else bias
    if len(np.unique(padded.reshape(tiles, rows), axis=0)) > 1:
        found["memory bits"] += tiles * rows * product.accumulator.format.bits
    _resize(found, rows, after)
    if (tail := product.tail) is not None:
        found["requantizer"] += 1
        found["skid"] += 1
        found["skid bits"] += after * product.accumulator.format.bits
        found["lanes"] += after
        below = [tail.offset + tail.below] if tail.below.any() else []
        for constants in (tail.multiplier, tail.offset, *below):
            if len(np.unique(constants)) > 1:
                found["memory bits"] += -(-outputs // after) * after * _bits(constants)


def _lstm(found: Needs, layer: QuantizedLstm, before: int) -> None:
    gathered, cells = _fewest_lanes(layer.hidden_product), layer.cells
    if layer.multipliers == 3:  # a cell a cycle: whole cells at a time, if rows allow
        rows = layer.hidden_product.folding.rows
        whole = (n for n in range(gathered, rows + 1) if rows % n == 0 and n % 4 == 0)
        gathered = next(whole, gathered)
    out = _lanes_out(layer)
    for product, taken, given in (
        (layer.input_product, before, _fewest_lanes(layer.input_product)),
        (layer.hidden_product, out, gathered),
    ):
        # Tiles hold whole cells: the gates of a cell stand side by side.
        _linear(found, product, taken, given, bias=product.bias.reshape(4, -1).T.ravel())
        _resize(found, given, 4)
        _vectors(found, 4 * product.output.format.bits, cells)
    found["lstm_cell"] += 1
    found["memory bits"] += cells * layer.cell.bits
    found["memory bits"] += 3 * layer.sigmoid.bits * len(layer.sigmoid.values)
    found["memory bits"] += 2 * layer.tanh.bits * len(layer.tanh.values)
    if layer.projection is not None:
        _linear(found, layer.projection, 1, out)
    found["fork"] += 1
    found["fork sinks"] += 2
    _vectors(found, out * layer.output.format.bits, -(-layer.outputs // out))


def _fewest_lanes(product: QuantizedLinear) -> int:
    """Fewest lanes, a divisor of ``rows``, that carry a tile while the next is computed."""
    rows, beats = product.folding.rows, -(-product.inputs // product.folding.simd)
    return next(n for n in range(1, rows + 1) if rows % n == 0 and n * beats >= rows)


def _lanes_out(layer: Layer) -> int:
    if isinstance(layer, QuantizedLstm):
        return 1 if layer.projection is None else _fewest_lanes(layer.projection)
    if isinstance(layer, Argmax):
        return 1
    return (
        layer.lanes
        if isinstance(layer, MaxPool | QuantizedAdd | Concat | Resize | Rescale)
        else _fewest_lanes(*layer.linears)
    )


def _resize(found: Needs, before: int, after: int) -> None:
    """Through the least common multiple, where neither number divides the other."""
    common = lcm(before, after)
    found["widen"] += common != before
    found["narrow"] += common != after


def _vectors(found: Needs, width: int, beats: int) -> None:
    found["buffer"] += 1
    found["memory bits"] += 2 * beats * width


def _rows(found: Needs, windows: Windows, simd: int, bits: int) -> None:
    """Rows of pixels, in a bank for each pixel of a beat; lines are whole words of their bank."""
    tall, wide = windows.kernel
    channels = windows.channels // windows.groups
    lanes = min(simd, channels)
    high, broad = (tall, wide) if simd == tall * wide * channels else (1, simd // lanes)
    above, before, below, after = windows.padding
    held = max(tall + windows.stride[0], (tall - above) + (tall - below))
    line = -(-(before + windows.width + after) // broad) * (windows.channels // lanes)
    found["window"] += 1
    found["memory bits"] += high * broad * -(-held // high) * line * lanes * bits


def _bits(constants: IntArray) -> int:
    low, high = int(constants.min()), int(constants.max())
    return max(high, -low - 1).bit_length() + (low < 0) or 1
