"""Exact cycle counts of the generated hardware, from its plan.

The times are those of a willing source and a ready sink. Networks run on an abstract machine
(`fxsim.timing.machine`), where every wait happens as it does in the hardware; those with LSTM
layers, whose loop the machine does not know, follow closed forms (`fxsim.timing.loop`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from fxsim.network import Layer, QuantizedNetwork
from fxsim.plan.mac_array import MacArrayConfig
from fxsim.plan.planner import Plan, plan_layer, plan_network
from fxsim.timing import loop
from fxsim.timing.beats import times_and_depths

_DOUBLINGS, _ALIKE = 5, 4


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
    bottleneck : str
        The layer, or the matrix product, that sets the interval, be it with taking in what it works
        on. An LSTM layer where no product alone is so slow: its loop is.
    """

    latency: int
    interval: int
    layers: tuple[LayerCycles, ...]
    bottleneck: str


def predict(network: QuantizedNetwork) -> NetworkCycles:
    """Latency and interval of the accelerator of ``network``."""
    plan = plan_network(network)
    times, interval = _steady(plan)
    return NetworkCycles(
        latency=times[0],
        interval=interval,
        layers=tuple(_products(plan, interval)),
        bottleneck=_bottleneck(network, plan, interval),
    )


def _bottleneck(network: QuantizedNetwork, plan: Plan, interval: int) -> str:
    """The layer that is busy for most cycles; with LSTM layers a product, or a loop."""
    if not plan.recurrent:
        return max(network.layers, key=load).name
    slowest = max(_products(plan, interval), key=lambda product: product.interval)
    if slowest.interval == interval:
        return slowest.name
    beats = {node.path: node.output.count for node in plan.blocks}
    return max(plan.recurrent, key=lambda name: beats[f"{name}.hidden_product.buffer"])


def _steady(plan: Plan) -> tuple[list[int], int]:
    """Completion times, and the interval that they come to.

    That is the work of the slowest layer, as a rule, but a pipeline that stops now and then may
    take many vectors to get there. So more are looked at until some in a row are equal, and are
    what is due or were the same before. Where intervals take turns, as with a multiplier that
    gates share, theirs is the mean, rounded up.
    """
    vectors, before = settled(plan), 0
    due = max(stream.count for stream in (plan.input, *(block.output for block in plan.blocks)))
    for _ in range(_DOUBLINGS):
        times = _completion_times(plan, vectors)
        intervals = {after - time for time, after in pairwise(times[-_ALIKE - 1 :])}
        if len(intervals) == 1:
            (interval,) = intervals
            if plan.recurrent or interval in (due, before):
                return times, interval
            before = interval
        vectors *= 2
    half = len(times) // 2
    return times, -(-(times[-1] - times[-1 - half]) // half)


def completion_times(network: QuantizedNetwork, vectors: int) -> list[int]:
    """Cycle of the last output beat of each vector; the first input beat is taken in cycle 0."""
    return _completion_times(plan_network(network), vectors)


def _completion_times(plan: Plan, vectors: int) -> list[int]:
    if plan.recurrent:
        return loop.completion_times(plan, vectors)
    leaving, _ = times_and_depths(plan, vectors)
    beats = plan.output.count
    return [int(cycle) for cycle in leaving[beats - 1 :: beats]]


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


def settled(plan: Plan) -> int:
    """Vectors after which every layer has found its pace, that of a recurrence included."""
    groups = [node for node in plan.blocks if isinstance(node.record, MacArrayConfig)]
    return 4 + (4 * len(groups) if plan.recurrent else len(tuple(plan.layers)))


def load(layer: Layer) -> int:
    """Cycles that a layer without state is busy for with each vector or image.

    That is the longest of the streams before, between and after its blocks, a beat a cycle, where
    the input comes in the layer's own lanes.
    """
    group = plan_layer(layer)
    streams = [*group.inputs.values(), *(node.output for node in group.nodes)]
    return max(stream.count for stream in streams)
