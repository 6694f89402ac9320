"""Blocks of a concatenation: operands in turn, pixel by pixel."""

from __future__ import annotations

from fxsim.network import Concat
from fxsim.plan.beat import Beat
from fxsim.plan.buffers import ConcatConfig
from fxsim.plan.chain import Chain
from fxsim.plan.graph import Group, Stream


def plan_concat(layer: Concat, *sources: Stream) -> Group:
    """Group of a concatenation; each operand is brought to its lanes first."""
    chain = Chain(**{f"i{k}": source for k, source in enumerate(sources)})
    streams = [
        chain.resize(f"input{k}", f"i{k}", lanes=layer.lanes, items=channels)
        for k, channels in enumerate(layer.channels)
    ]
    config = ConcatConfig(
        beat=Beat(layer.input.format, layer.lanes),
        counts=tuple(channels // layer.lanes for channels in layer.channels),
    )
    return chain.group(chain.add("concat", config, *streams))
