"""Operands of a layer with several: each may wait in a queue for the others."""

from __future__ import annotations

from collections.abc import Sequence
from math import lcm

from fxsim.plan.buffers import QueueConfig
from fxsim.plan.chain import Chain
from fxsim.plan.graph import Stream


def join(
    sources: Sequence[Stream], depths: Sequence[int], *, lanes: int, items: Sequence[int]
) -> tuple[Chain, list[str]]:
    """Chain with an input ``i0``, ``i1``, ... for each operand, brought to a number of lanes.

    A queue holds words of as many lanes as there are on the way: so an operand goes on to gather
    them while the others have their turn.

    Parameters
    ----------
    sources : sequence of Stream
    depths : sequence of int
        Words of the queue at each operand; 0 for none.
    lanes : int
    items : sequence of int
        Of a vector, or of a pixel, of each operand.

    Returns
    -------
    Chain, list of str
        The chain, and the node or input that yields each operand.
    """
    chain = Chain(**{f"i{k}": source for k, source in enumerate(sources)})
    ends = []
    for k, (source, depth, size) in enumerate(zip(sources, depths, items, strict=True)):
        at, wide = f"i{k}", lcm(source.beat.lanes, lanes)
        at = chain.resize(f"input{k}", at, lanes=wide, items=size)
        if depth:
            beat = chain.stream(at).beat
            at = chain.add(f"queue{k}", QueueConfig(beat=beat, depth=depth), at)
        ends.append(chain.resize(f"input{k}", at, lanes=lanes, items=size))
    return chain, ends
