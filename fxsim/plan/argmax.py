"""Blocks of an argmax: the place of the greatest of a vector's integers."""

from __future__ import annotations

from fxsim.network import Argmax
from fxsim.plan.chain import Chain
from fxsim.plan.elementwise import GreatestPlaceConfig
from fxsim.plan.graph import Group, Stream


def plan_argmax(layer: Argmax, source: Stream) -> Group:
    """Group of an argmax."""
    chain = Chain(i=source)
    at = chain.resize("input", "i", lanes=layer.lanes, items=layer.items)
    greatest = GreatestPlaceConfig(
        format=layer.input.format,
        place=layer.output.format,
        lanes=layer.lanes,
        beats=layer.items // layer.lanes,
    )
    return chain.group(chain.add("greatest", greatest, at))
