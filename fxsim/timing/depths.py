"""Depths of the queues in which shortcuts wait for the layers that they lead past.

A fork gives each word to the layers and to the queue of the shortcut; the add behind takes a word
of either together. The layers must see some words before they yield the first: rows of an image, a
whole vector. If the queue holds fewer, the fork waits for the queue, the queue for the add, the add
for the layers, and these for the fork: forever. Whether that happens is a matter of how many words
the layers need for how many that they yield, and not of time, so pauses cannot bring it about.

The depths found here are the least that cost no time: with them each word of the output leaves in
the very cycle in which it would with endless queues, and with a word less in any of them some word
leaves later or none ever does. So they are enough never to wait forever, too.
"""

from __future__ import annotations

from dataclasses import replace

from fxsim.errors import RangeError
from fxsim.network import QuantizedNetwork
from fxsim.network.graph import MIN_DEPTH
from fxsim.plan.planner import plan_network
from fxsim.timing.beats import queue_depths, times_and_depths
from fxsim.timing.cycles import load, settled

_ENDLESS = 1 << 62
"""Depth of a queue that is never full."""


def with_depths(network: QuantizedNetwork) -> QuantizedNetwork:
    """The network with the least depths that cost no time; they depend on all its foldings."""
    joins = {
        layer.name: (0, *(MIN_DEPTH for _ in layer.operands[1:]))
        for layer in network.layers
        if len(layer.operands) > 1
    }
    if not joins:
        return network
    return replace(network, depths=least_depths(replace(network, depths=joins)))


def least_depths(network: QuantizedNetwork) -> dict[str, tuple[int, ...]]:
    """For each join, the least depths of its queues that cost no time.

    Each is found by halving between the least there is and what an endless queue would hold at
    most; a longer queue is never slower. With several adds a depth may depend on those that were
    found before, and the first ones are as short as can be.
    """
    plan = plan_network(network)
    endless = dict.fromkeys(queue_depths(plan), _ENDLESS)
    first, _ = times_and_depths(plan, 1, endless)
    # Small vectors are many in the pipelines before the first one leaves.
    vectors = settled(plan) + int(first[-1]) // max(map(load, network.layers))
    best, held = times_and_depths(plan, vectors, endless)
    depths = {path: max(depth, MIN_DEPTH) for path, depth in held.items()}

    def costs_nothing(path: str, depth: int) -> bool:
        try:
            times_and_depths(plan, vectors, depths | {path: depth}, best)
        except RangeError:
            return False
        return True

    for path in depths:
        low, high = MIN_DEPTH, depths[path]
        while low < high:
            middle = (low + high) // 2
            if costs_nothing(path, middle):
                high = middle
            else:
                low = middle + 1
        depths[path] = high
    return {
        name: tuple(depths.get(f"{name}.queue{k}", 0) for k in range(len(given)))
        for name, given in network.depths.items()
    }
