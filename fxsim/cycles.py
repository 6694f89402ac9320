"""Exact cycle counts of the generated hardware, from the network alone.

The times are those of a willing source and a ready sink. Each block passes beats in order, one a
cycle, a fixed number of cycles after the beat that completes them, so the time of every beat
follows from those before it; the buffers are so large that no block waits for the ones behind it.
That is not so of line buffers and of the queues of adds: networks with images or adds run on the
abstract machine of `fxsim.flow`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import gcd

from fxsim.blocks import mac_latency, requantizer_latency, times_and_depths
from fxsim.network import (
    Argmax,
    Layer,
    MaxPool,
    QuantizedConvolution,
    QuantizedLinear,
    QuantizedLstm,
    QuantizedNetwork,
)
from fxsim.tables import Table

BUFFER_LATENCY = 2
RESIZE_LATENCY = 1
ARGMAX_LATENCY = 1
_LONG_AGO = -(1 << 40)

Times = list[int]
Stage = Callable[[Times], Times]
"""From the cycles in which the beats of a vector arrive to those in which they leave."""


@dataclass(frozen=True, kw_only=True)
class LayerCycles:
    """Cycles of one matrix product: ``interval`` between vectors when nothing else limits it."""

    name: str
    interval: int
    macs: int
    utilisation: float


@dataclass(frozen=True, kw_only=True)
class NetworkCycles:
    """Cycles of a whole network.

    Parameters
    ----------
    latency : int
        From the first input beat of a vector, on an idle network, to its last output beat.
    interval : int
        Between vectors that follow one another without a pause.
    layers : tuple of LayerCycles
        One for each matrix product; ``utilisation`` is the share of cycles in which its array works
        at that interval.
    limit : str, optional
        With images, adds or an argmax: the layer that is busy for most cycles, be it with taking
        in what it works on.
    """

    latency: int
    interval: int
    layers: tuple[LayerCycles, ...]
    limit: str | None = None

    @property
    def bottleneck(self) -> str:
        """Name of the layer, or of its matrix product, that sets the interval."""
        return self.limit or max(self.layers, key=lambda layer: layer.interval).name


def predict(network: QuantizedNetwork) -> NetworkCycles:
    """Latency and interval of the accelerator of ``network``."""
    intervals = [
        linear.tiles * linear.beats * _places(layer)
        for layer in network.layers
        for linear in layer.linears
    ]
    times = completion_times(network, settled(network))
    interval = times[-1] - times[-2]
    return NetworkCycles(
        latency=times[0],
        interval=interval,
        layers=tuple(
            LayerCycles(
                name=linear.name,
                interval=cycles,
                macs=linear.folding.rows * linear.folding.simd,
                utilisation=cycles / interval,
            )
            for linear, cycles in zip(network.linears, intervals, strict=True)
        ),
        limit=max(network.layers, key=load).name if _by_machine(network) else None,
    )


def settled(network: QuantizedNetwork) -> int:
    """Vectors after which every layer has found its pace, that of a recurrence included."""
    return 4 + len(network.layers) if _by_machine(network) else 4 + 4 * len(network.linears)


def load(layer: Layer) -> int:
    """Cycles that a layer without state is busy for with each vector or image."""
    taking = -(-layer.inputs // layer.lanes_in)
    if isinstance(layer, MaxPool):
        windows = layer.windows
        return max(taking, windows.places * windows.size // layer.lanes)
    if not layer.linears:
        return taking
    (product,) = layer.linears
    return max(taking, product.tiles * product.beats * _places(layer))


def completion_times(network: QuantizedNetwork, vectors: int) -> list[int]:
    """Cycle of the last output beat of each vector; the first input beat is taken in cycle 0."""
    if _by_machine(network):
        leaving, _ = times_and_depths(network, vectors)
        beats = len(leaving) // vectors
        return [int(cycle) for cycle in leaving[beats - 1 :: beats]]
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


def _by_machine(network: QuantizedNetwork) -> bool:
    """Whether there is more than the closed forms know: anything but layers of products.

    Only networks with LSTM layers, which the machine does not know, may end in an argmax here.
    """
    return not network.recurrent and not all(
        isinstance(layer, QuantizedLinear) for layer in network.layers
    )


def _places(layer: Layer) -> int:
    """How often a layer applies its products to a vector."""
    return layer.windows.places if isinstance(layer, QuantizedConvolution) else 1


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
