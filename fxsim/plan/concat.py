"""Blocks of a concatenation: operands in turn, pixel by pixel."""

from __future__ import annotations

from collections.abc import Sequence

from fxsim.network import Concat
from fxsim.plan.beat import Beat
from fxsim.plan.buffers import ConcatConfig
from fxsim.plan.graph import Group, Stream
from fxsim.plan.join import join


def plan_concat(layer: Concat, sources: Sequence[Stream], depths: Sequence[int]) -> Group:
    """Group of a concatenation after its operands, with queues of so many words."""
    chain, operands = join(sources, depths, lanes=layer.lanes, items=layer.channels)
    config = ConcatConfig(
        beat=Beat(layer.input.format, layer.lanes),
        counts=tuple(channels // layer.lanes for channels in layer.channels),
    )
    return chain.group(chain.add("concat", config, *operands))
