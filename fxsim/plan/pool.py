"""Blocks of max pooling: line buffer, and the greatest of each window."""

from __future__ import annotations

from fxsim.network import MaxPool
from fxsim.plan.beat import Beat
from fxsim.plan.chain import Chain
from fxsim.plan.elementwise import GreatestConfig
from fxsim.plan.graph import Group, Stream
from fxsim.plan.window import WindowConfig


def plan_pool(layer: MaxPool, source: Stream) -> Group:
    """Group of max pooling; pixels outside the image never win."""
    chain, windows, fmt = Chain(i=source), layer.by_lanes, layer.input.format
    at = chain.resize("input", "i", lanes=layer.lanes, items=windows.channels)
    window = WindowConfig(windows=windows, format=fmt, simd=layer.lanes, outside=fmt.min)
    at = chain.add("window", window, at)
    greatest = GreatestConfig(beat=Beat(fmt, layer.lanes), beats=windows.size // layer.lanes)
    return chain.group(chain.add("greatest", greatest, at))
