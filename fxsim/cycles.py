"""Exact cycle counts of the generated hardware, from the network alone.

The times are those of a willing source and a ready sink. Each block passes beats in order, one a
cycle, a fixed number of cycles after the beat that completes them, so the time of every beat
follows from those before it; the buffers are so large that no block waits for the ones behind it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

from fxsim.network import QuantizedLinear, QuantizedNetwork

BUFFER_LATENCY = 2
RESIZE_LATENCY = 1


@dataclass(frozen=True, kw_only=True)
class LayerCycles:
    """Cycles of one layer: ``interval`` between vectors when nothing else limits it."""

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
        ``utilisation`` is the share of cycles in which the layer's array works at that interval.
    """

    latency: int
    interval: int
    layers: tuple[LayerCycles, ...]

    @property
    def bottleneck(self) -> str:
        """Name of the layer that sets the interval."""
        return max(self.layers, key=lambda layer: layer.interval).name


def predict(network: QuantizedNetwork) -> NetworkCycles:
    """Latency and interval of the accelerator of ``network``."""
    intervals = [layer.tiles * layer.beats for layer in network.layers]
    interval = max(intervals)
    return NetworkCycles(
        latency=completion_times(network, 1)[0],
        interval=interval,
        layers=tuple(
            LayerCycles(
                name=layer.name,
                interval=cycles,
                macs=layer.folding.rows * layer.folding.simd,
                utilisation=cycles / interval,
            )
            for layer, cycles in zip(network.layers, intervals, strict=True)
        ),
    )


def completion_times(network: QuantizedNetwork, vectors: int) -> list[int]:
    """Cycle of the last output beat of each vector; the first input beat is taken in cycle 0."""
    first = network.layers[0]
    times = [list(range(v * first.beats, (v + 1) * first.beats)) for v in range(vectors)]
    lanes = first.folding.simd
    for layer in network.layers:
        times = _resize(times, lanes, layer.folding.simd, layer.inputs)
        times = _mac_array(times, layer)
        lanes = layer.lanes_out
        times = _resize(times, layer.folding.rows, lanes, layer.outputs)
        latency = requantizer_latency(layer)
        times = [[time + latency for time in vector] for vector in times]
    return [vector[-1] for vector in times]


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
    return 2 + (layer.requantizer.multiplier_bits > 0) + layer.requantizer.per_channel


def _mac_array(times: list[list[int]], layer: QuantizedLinear) -> list[list[int]]:
    """Times at which the tiles of each vector leave the array behind its buffer."""
    now, latency = -1, mac_latency(layer)
    result = []
    for vector in times:
        leaving = []
        for _ in range(layer.tiles):
            for arrival in vector:
                now = max(now + 1, arrival + BUFFER_LATENCY)
            leaving.append(now + latency)
        result.append(leaving)
    return result


def _resize(times: list[list[int]], lanes_in: int, lanes_out: int, items: int) -> list[list[int]]:
    """Times behind the blocks that bring a stream from one number of lanes to another."""
    common = lanes_in * lanes_out // gcd(lanes_in, lanes_out)
    if common != lanes_in:
        parts = common // lanes_in
        times = [
            [
                vector[min(k + parts, len(vector)) - 1] + RESIZE_LATENCY
                for k in range(0, len(vector), parts)
            ]
            for vector in times
        ]
    if common != lanes_out:
        now, beats = -1, -(-items // lanes_out)
        spread = []
        for vector in times:
            leaving = []
            for beat in range(beats):
                now = max(now + 1, vector[beat * lanes_out // common] + RESIZE_LATENCY)
                leaving.append(now)
            spread.append(leaving)
        times = spread
    return times
