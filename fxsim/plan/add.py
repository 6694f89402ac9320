"""Blocks of an add: weighted sum, requantizer."""

from __future__ import annotations

from collections.abc import Sequence

from fxsim.network import QuantizedAdd
from fxsim.plan.elementwise import WeightedSumConfig
from fxsim.plan.graph import Group, Stream
from fxsim.plan.join import join
from fxsim.plan.requantizer import RequantizerConfig


def plan_add(layer: QuantizedAdd, sources: Sequence[Stream], depths: Sequence[int]) -> Group:
    """Group of an add after the streams of its summands, with queues of so many words."""
    channels = [layer.shape[0]] * len(sources)
    chain, summands = join(sources, depths, lanes=layer.lanes, items=channels)
    total = WeightedSumConfig(
        formats=tuple(summand.format for summand in layer.summands),
        multipliers=layer.multipliers,
        bias=layer.bias,
        accumulator=layer.accumulator,
        lanes=layer.lanes,
    )
    at = chain.add("sum", total, *summands)
    return chain.group(chain.add("requantizer", RequantizerConfig.behind_sum(layer), at))
