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

from fxsim.network import QuantizedNetwork
from fxsim.plan.planner import plan_network
from fxsim.timing.beats import machine_of
from fxsim.timing.shortest import shortest

_WORK = 1 << 33
"""Cycles times blocks that may be run to shorten queues: minutes."""


def with_depths(network: QuantizedNetwork) -> QuantizedNetwork:
    """The network with the least depths that cost no time; they depend on all its foldings."""
    if not network.adds:
        return network
    depths = least_depths(network)
    adds = {add.name: replace(add, depth=depths[add.name]) for add in network.adds}
    return replace(network, layers=tuple(adds.get(layer.name, layer) for layer in network.layers))


def least_depths(network: QuantizedNetwork) -> dict[str, int]:
    """For each add, the least depth of its queue that costs no time."""
    machine, queues = machine_of(plan_network(network))
    depths = shortest(machine, [[k] for k in queues.values()], _WORK, wires=False)
    return {path.removesuffix(".queue"): depths[k] for path, k in queues.items()}
