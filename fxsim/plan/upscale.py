"""Blocks of a resize: rows and pixels that are given out several times."""

from __future__ import annotations

from fxsim.network import Resize
from fxsim.plan.beat import Beat
from fxsim.plan.buffers import VectorBufferConfig
from fxsim.plan.chain import Chain
from fxsim.plan.graph import Group, Stream


def plan_resize(layer: Resize, source: Stream) -> Group:
    """Group of a resize by whole factors.

    A row buffer gives out each row of pixels ``vertical`` times, then a pixel buffer each pixel of
    it ``horizontal`` times; a factor of 1 needs none. Either holds two rows or pixels: the next one
    comes in while this one is repeated, however evenly it comes. With one row only, a source that
    yields a pixel in every vertical * horizontal cycles would wait for all repetitions but the
    last, and would then be too slow for that one: 47 cycles for 8 pixels given out in 4 rows, where
    32 are due.
    """
    chain, (channels, _, width) = Chain(i=source), layer.shape
    vertical, horizontal = layer.factors
    beat, words = Beat(layer.input.format, layer.lanes), channels // layer.lanes
    at = chain.resize("input", "i", lanes=layer.lanes, items=channels)
    for path, beats, times in (("rows", width * words, vertical), ("pixels", words, horizontal)):
        if times > 1:
            at = chain.add(path, VectorBufferConfig(beat=beat, beats=beats, tiles=times), at)
    return chain.group(at)
