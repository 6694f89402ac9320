"""Exact cycle counts of the generated hardware, from its plan.

The times are those of a willing source and a ready sink. Networks run on an abstract machine
(`fxsim.timing.machine`), where every wait happens as it does in the hardware, until it repeats
itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fxsim.network import Layer, QuantizedNetwork
from fxsim.plan.mac_array import MacArrayConfig
from fxsim.plan.planner import Plan, plan_layer, plan_network
from fxsim.timing.beats import machine_of, naming_queues
from fxsim.timing.flow import Flow


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
    after_reset : int
        Latency of a first vector that comes right after reset: hardware with state has to prepare
        its first step.
    layers : tuple of LayerCycles
        One for each matrix product; ``utilisation`` is the share of cycles in which its array works
        at that interval.
    bottleneck : str
        The layer, or the matrix product, that sets the interval, be it with taking in what it works
        on. An LSTM layer where no product alone is so slow: its loop is.
    """

    latency: int
    interval: int
    after_reset: int
    layers: tuple[LayerCycles, ...]
    bottleneck: str


def predict(network: QuantizedNetwork) -> NetworkCycles:
    """Latency and interval of the accelerator of ``network``."""
    plan = plan_network(network)
    machine, _ = machine_of(plan)
    with naming_queues(plan):
        flow = machine.repeat()
        early = machine.run(1, rests=False) if plan.recurrent else flow
    return NetworkCycles(
        latency=_latency(flow),
        interval=flow.interval,
        after_reset=_latency(early),
        layers=tuple(_products(plan, flow.interval)),
        bottleneck=_bottleneck(network, plan, flow.interval),
    )


def _latency(flow: Flow) -> int:
    """Cycles from the first word of a run to the last one of its first vector."""
    return max(int(flow.ends(port, 1)[0]) for port in range(len(flow.counts))) - flow.first


def _bottleneck(network: QuantizedNetwork, plan: Plan, interval: int) -> str:
    """The layer that is busy for most cycles; with LSTM layers a product, or a loop."""
    if not plan.recurrent:
        return max(network.layers, key=load).name
    slowest = max(_products(plan, interval), key=lambda product: product.interval)
    if slowest.interval == interval:
        return slowest.name
    beats = {node.path: node.output.count for node in plan.blocks}
    return max(plan.recurrent, key=lambda name: beats[f"{name}.hidden_product.buffer"])


def completion_times(network: QuantizedNetwork, vectors: int, *, rests: bool = True) -> list[int]:
    """Cycle of the last beat of each vector at any output; the first input beat is in cycle 0.

    ``rests`` says whether that is when nothing moves any more after reset: hardware with state
    prepares the first step then, and a beat that comes at once has to wait for it.
    """
    plan = plan_network(network)
    machine, _ = machine_of(plan)
    with naming_queues(plan):
        flow = machine.run(vectors, rests=rests)
    ends = [flow.ends(port, vectors) for port in range(len(flow.counts))]
    return [int(cycle) - flow.first for cycle in np.max(ends, axis=0)]


def _products(plan: Plan, interval: int) -> Iterator[LayerCycles]:
    """Cycles of each matrix product: the beats that its array takes."""
    beats = {node.path: node.output.count for node in plan.blocks}
    for node in plan.blocks:
        if isinstance(node.record, MacArrayConfig):
            ((source, _),) = node.sources
            yield LayerCycles(
                name=node.record.name,
                interval=beats[source],
                macs=node.record.rows * node.record.simd,
                utilisation=beats[source] / interval,
            )


def load(layer: Layer) -> int:
    """Cycles that a layer without state is busy for with each vector or image.

    That is the longest of the streams before, between and after its blocks, a beat a cycle, where
    the input comes in the layer's own lanes.
    """
    group = plan_layer(layer)
    streams = [*group.inputs.values(), *(node.output for node in group.nodes)]
    return max(stream.count for stream in streams)
