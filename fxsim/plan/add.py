"""Blocks of an add: the queue of its shortcut, weighted sum, requantizer."""

from __future__ import annotations

from fxsim.network import QuantizedAdd
from fxsim.plan.buffers import QueueConfig
from fxsim.plan.chain import Chain
from fxsim.plan.elementwise import WeightedSumConfig
from fxsim.plan.graph import Group, Stream
from fxsim.plan.requantizer import RequantizerConfig


def plan_add(layer: QuantizedAdd, source: Stream, shortcut: Stream) -> Group:
    """Group of an add; its queue holds ``layer.depth`` beats of what the shortcut brings."""
    chain, channels = Chain(i=source, shortcut=shortcut), layer.shape[0]
    queued = chain.add("queue", QueueConfig(beat=shortcut.beat, depth=layer.depth), "shortcut")
    other = chain.resize("shortcut", queued, lanes=layer.lanes, items=channels)
    at = chain.resize("input", "i", lanes=layer.lanes, items=channels)
    total = WeightedSumConfig(
        first=layer.input.format,
        second=layer.other.format,
        multipliers=layer.multipliers,
        bias=layer.bias,
        accumulator=layer.accumulator,
        lanes=layer.lanes,
    )
    at = chain.add("sum", total, at, other)
    return chain.group(chain.add("requantizer", RequantizerConfig.behind_sum(layer), at))
