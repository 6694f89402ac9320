"""Operands of a layer with several: each may wait in a queue for the others."""

from __future__ import annotations

from collections.abc import Sequence

from fxsim.plan.buffers import QueueConfig
from fxsim.plan.chain import Chain
from fxsim.plan.graph import Stream


def join(
    sources: Sequence[Stream], depths: Sequence[int], *, lanes: int, items: Sequence[int]
) -> tuple[Chain, list[str]]:
    """Chain with an input ``i0``, ``i1``, ... for each operand, brought to a number of lanes.

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
        at = f"i{k}"
        if depth:
            at = chain.add(f"queue{k}", QueueConfig(beat=source.beat, depth=depth), at)
        ends.append(chain.resize(f"input{k}", at, lanes=lanes, items=size))
    return chain, ends
