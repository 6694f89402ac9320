"""Blocks of a rescale: a requantizer of activations."""

from __future__ import annotations

from fxsim.network import Rescale
from fxsim.plan.chain import Chain
from fxsim.plan.graph import Group, Stream
from fxsim.plan.requantizer import RequantizerConfig


def plan_rescale(layer: Rescale, source: Stream) -> Group:
    """Group of a rescale; the offsets of its requantizer have the zero point of the input."""
    chain, channels = Chain(i=source), layer.shape[0]
    at = chain.resize("input", "i", lanes=layer.lanes, items=channels)
    requantizer = RequantizerConfig.of(
        layer.folded,
        lanes=layer.lanes,
        items=channels,
        accumulator=layer.input.format,
        output=layer.output,
        split=layer.input.zero_point,
    )
    return chain.group(chain.add("requantizer", requantizer, at))
