"""Cycles of a network in closed form, from the network alone: what its layers need, no plan.

Only for layers that take whole vectors: on an idle network no block waits for the ones after it, so
the time of every beat follows from those before it. Later vectors leave no sooner than said.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import gcd

from fxsim.arithmetic.tables import Table
from fxsim.network import (
    Argmax,
    Layer,
    MaxPool,
    QuantizedAdd,
    QuantizedConvolution,
    QuantizedLinear,
    QuantizedLstm,
    QuantizedNetwork,
)

BUFFER_LATENCY = 2
RESIZE_LATENCY = 1
ARGMAX_LATENCY = 1
_LONG_AGO = -(1 << 40)

Times = list[int]
Stage = Callable[[Times], Times]
"""From the cycles in which the beats of a vector arrive to those in which they leave."""


def completion_times(network: QuantizedNetwork, vectors: int) -> list[int]:
    """Cycle of the last output beat of each vector; the first input beat is taken in cycle 0."""
    first = network.layers[0].linears[0]
    lanes = first.folding.simd
    stages = []
    for layer in network.layers:
        stages.append(_layer(layer, lanes))
        lanes = layer.lanes_out
    result = []
    for vector in range(vectors):
        times = list(range(vector * first.beats, (vector + 1) * first.beats))
        for stage in stages:
            times = stage(times)
        result.append(times[-1])
    return result


def load(layer: Layer) -> int:
    """Work of a layer, divided by its lanes: products, sums, maxima, or items taken in."""
    taken = -(-layer.inputs // layer.lanes_in)
    if isinstance(layer, MaxPool):
        return max(taken, layer.windows.places * layer.windows.size // layer.lanes)
    if isinstance(layer, QuantizedAdd | Argmax):
        return layer.inputs // layer.lanes
    (product,) = layer.linears
    rows, simd = product.folding.rows, product.folding.simd
    places = layer.windows.places if isinstance(layer, QuantizedConvolution) else 1
    return max(taken, places * -(-product.outputs // rows) * -(-product.inputs // simd))


def mac_latency(layer: QuantizedLinear) -> int:
    """Cycles from a tile's last input beat to its accumulators.

    Weight memory and accumulator take one each, so does a register after memory of more than 64
    words, the adder tree ceil(log2(simd)), and the products 1 (no multiplier), 2 (DSP block) or
    half the weight's word length (radix-4 digits in LUTs).
    """
    bits = layer.weight_format.bits
    signs = str(layer.code) in {"int2n", "binary"} or str(layer.code).startswith("po2")
    products = 1 if signs else 2 if layer.folding.dsp else -(-bits // 2)
    style, words = str(layer.folding.memory), layer.tiles * layer.beats
    registered = style == "block" or (style == "auto" and words > 64)
    return 2 + registered + products + (layer.folding.simd - 1).bit_length()


def requantizer_latency(layer: QuantizedLinear) -> int:
    """Cycles from accumulators to activations; 0 without a requantizer."""
    if layer.tail is None:
        return 0
    return 2 + layer.tail.scales + layer.tail.per_channel


def lookup_latency(table: Table) -> int:
    """Cycles from the input of a table to its output."""
    return 3 if table.step_bits else 2


def cell_latency(layer: QuantizedLstm) -> int:
    """Cycles from the pre-activation terms of a cell to its output.

    Sum, gate tables, two for the new cell state, its table, two for the output. A shared multiplier
    takes one more for the second product, and as many as its turn for the third comes late.
    """
    gates = max(lookup_latency(layer.sigmoid), lookup_latency(layer.tanh))
    tanh = lookup_latency(layer.tanh)
    turn = 0 if layer.multipliers == 3 else 1 + -(tanh + 1) % 3
    return 1 + gates + 2 + tanh + 2 + turn


def _layer(layer: Layer, lanes_in: int) -> Stage:
    if isinstance(layer, QuantizedLstm):
        return _lstm(layer, lanes_in)
    if isinstance(layer, Argmax):
        return _chain(
            _resize(lanes_in, layer.lanes, layer.items), lambda times: [times[-1] + ARGMAX_LATENCY]
        )
    (product,) = layer.linears
    return _linear(product, lanes_in)


def _linear(layer: QuantizedLinear, lanes_in: int, lanes_out: int | None = None) -> Stage:
    lanes_out = layer.lanes_out if lanes_out is None else lanes_out
    return _chain(
        _resize(lanes_in, layer.folding.simd, layer.inputs),
        _buffer(layer.tiles),
        _mac_array(layer),
        _resize(layer.folding.rows, lanes_out, layer.outputs),
        _delay(requantizer_latency(layer)),
    )


def _lstm(layer: QuantizedLstm, lanes_in: int) -> Stage:
    def terms(product: QuantizedLinear, lanes_in: int, lanes_out: int) -> Stage:
        gather = _resize(lanes_out, 4, product.outputs)
        return _chain(_linear(product, lanes_in, lanes_out), gather, _buffer(1))

    input_terms = terms(layer.input_product, lanes_in, layer.input_product.lanes_out)
    hidden_terms = terms(layer.hidden_product, layer.lanes_out, layer.hidden_lanes)
    latency, spacing = cell_latency(layer), 3 // layer.multipliers
    output = _delay(latency)
    if layer.projection is not None:
        output = _chain(output, _linear(layer.projection, 1))
    fork = _fork(layer)
    beats = -(-layer.outputs // layer.lanes_out)
    hidden = list(range(_LONG_AGO, _LONG_AGO + beats))
    now = _LONG_AGO

    def stage(times: Times) -> Times:
        nonlocal hidden, now
        taken = []
        for from_input, from_hidden in zip(input_terms(times), hidden_terms(hidden), strict=True):
            here = max(from_input, from_hidden, now + 1)
            # In step with the cells that are inside, or as soon as they have left.
            aligned = now - spacing * ((now - here) // spacing)
            now = min(aligned, max(here, now + latency))
            taken.append(now)
        leaving, hidden = fork(output(taken))
        return leaving

    return _chain(stage, _buffer(1))


def _fork(layer: QuantizedLstm) -> Callable[[Times], tuple[Times, Times]]:
    """Cycles in which beats of h leave the layer, and in which U h takes them.

    U h takes a beat of a projection in narrower words, one a cycle; the next beat waits for that.
    """
    lanes, simd = layer.lanes_out, layer.hidden_product.folding.simd
    parts = [1] * -(-layer.outputs // lanes)
    if lanes % simd == 0:
        starts = range(0, layer.outputs, lanes)
        parts = [-(-min(lanes, layer.outputs - start) // simd) for start in starts]
    taken = free = _LONG_AGO

    def stage(times: Times) -> tuple[Times, Times]:
        nonlocal taken, free
        leaving, fed_back = [], []
        for time, count in zip(times, parts, strict=True):
            leaving.append(max(time, taken + 1))
            taken = max(leaving[-1], free)
            fed_back.append(taken)
            free = taken + count
        return leaving, fed_back

    return stage


def _chain(*stages: Stage) -> Stage:
    def stage(times: Times) -> Times:
        for part in stages:
            times = part(times)
        return times

    return stage


def _delay(cycles: int) -> Stage:
    return lambda times: [time + cycles for time in times]


def _buffer(tiles: int) -> Stage:
    """Give out each vector ``tiles`` times."""
    now = _LONG_AGO

    def stage(times: Times) -> Times:
        nonlocal now
        leaving = []
        for arrival in times * tiles:
            now = max(now + 1, arrival + BUFFER_LATENCY)
            leaving.append(now)
        return leaving

    return stage


def _mac_array(layer: QuantizedLinear) -> Stage:
    """Yield a tile after each ``beats`` beats."""
    latency = mac_latency(layer)
    return lambda times: [time + latency for time in times[layer.beats - 1 :: layer.beats]]


def _resize(lanes_in: int, lanes_out: int, items: int) -> Stage:
    """Bring a stream from one number of lanes to another."""
    common = lanes_in * lanes_out // gcd(lanes_in, lanes_out)
    stages: list[Stage] = []
    if common != lanes_in:
        stages.append(_widen(common // lanes_in))
    if common != lanes_out:
        stages.append(
            _narrow([beat * lanes_out // common for beat in range(-(-items // lanes_out))])
        )
    return _chain(*stages)


def _widen(parts: int) -> Stage:
    return lambda times: [
        times[min(k + parts, len(times)) - 1] + RESIZE_LATENCY for k in range(0, len(times), parts)
    ]


def _narrow(words: Sequence[int]) -> Stage:
    """Send slim beats one by one; ``words`` says which wide word each is part of."""
    now = _LONG_AGO

    def stage(times: Times) -> Times:
        nonlocal now
        leaving = []
        for word in words:
            now = max(now + 1, times[word] + RESIZE_LATENCY)
            leaving.append(now)
        return leaving

    return stage
