"""Depths of the queues in which the operands of a layer wait for one another, and outputs.

A fork gives each word to several layers, and an add after them takes a word of each together. The
layers must see some words before they yield the first: rows of an image, a whole vector. If a queue
at the add holds fewer, the fork waits for the queue, the queue for the add, the add for the layers,
and these for the fork: forever. Whether that happens is a matter of how many words the layers need
for how many that they yield, and of how many the pipelines between hold: pauses leave one in each.

The depths found here cost no time: with them each word leaves as early as it would with endless
queues. They are enough never to wait forever, whatever the pauses. They are the least, where there
was time to look for them: with a word less in any of them some word leaves later or none ever does.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fxsim.network import QuantizedNetwork
from fxsim.network.graph import MIN_DEPTH
from fxsim.plan.planner import plan_network
from fxsim.timing.beats import machine_of
from fxsim.timing.flow import Flow
from fxsim.timing.machine import Key
from fxsim.timing.shortest import Depths, shortest

WORK = 1 << 31
"""Cycles times blocks that may be run to shorten the queues of a network: half a minute."""

_SWIFT = MIN_DEPTH + 1
"""Words of the shortest queue that takes one in every cycle: it has two in its memory."""

_KNOWN: dict[Key, Depths] = {}
"""Depths by all that they depend on, the latest of one process."""

_MOST_KNOWN = 256

_PATIENCE = 1 << 32
"""Cycles times blocks that two vectors may take: a minute. A slower network is not run."""


def with_depths(network: QuantizedNetwork, work: int = WORK) -> QuantizedNetwork:
    """The network with depths that cost no time; they depend on all its foldings.

    A network so slow that two vectors would take minutes to run, as large ones are before they are
    folded, has queues of a whole vector: they are never too short to go on, if too long.

    Parameters
    ----------
    network : QuantizedNetwork
    work : int
        Cycles times blocks that may be run to shorten queues that are enough.
    """
    found = replace(network, depths={}, output_depths={}, ends_depth=0)
    blocks = plan_network(found).blocks
    if 2 * len(blocks) * max(block.output.count for block in blocks) > _PATIENCE:
        return _whole_vectors(found)
    if any(len(layer.operands) > 1 for layer in network.layers):
        found = replace(found, depths=least_depths(found, work))
    if len(network.leaving) > 1:
        found = replace(found, output_depths=output_depths(found))
    if found.recurrent:
        found = replace(found, ends_depth=ends_depth(found))
    return network if _depths(found) == _depths(network) else found


def _whole_vectors(network: QuantizedNetwork) -> QuantizedNetwork:
    """The network with queues that hold a vector of every operand and of several outputs.

    What a layer yields for a vector depends on that vector and those before it, so whoever waits
    for one operand never needs more of another.
    """
    joins = {layer.name: len(layer.operands) for layer in network.layers if layer.operands[1:]}
    queued = {name: (MIN_DEPTH,) * count for name, count in joins.items()}
    plan = plan_network(replace(network, depths=queued))
    words = {block.path: block.output.count + _SWIFT for block in plan.blocks}
    several = len(plan.outputs) > 1
    return replace(
        network,
        depths={
            name: tuple(words[f"{name}.queue{k}"] for k in range(count))
            for name, count in joins.items()
        },
        output_depths={
            name: stream.count + _SWIFT for name, stream in plan.outputs.items() if several
        },
    )


def _depths(network: QuantizedNetwork) -> tuple[object, ...]:
    return network.depths, network.output_depths, network.ends_depth


def least_depths(network: QuantizedNetwork, work: int = WORK) -> dict[str, tuple[int, ...]]:
    """For each layer with several operands the depths of their queues; 0 is a wire.

    They are the least that cost no time, if ``work`` was enough to find them; else they are enough.
    """
    joins = {layer.name: len(layer.operands) for layer in network.layers if layer.operands[1:]}
    queued = {name: (MIN_DEPTH,) * count for name, count in joins.items()}
    machine, queues = machine_of(plan_network(replace(network, depths=queued, output_depths={})))
    groups = [[queues[f"{name}.queue{k}"] for k in range(count)] for name, count in joins.items()]
    if (key := (*machine.key, (work,))) not in _KNOWN:
        while len(_KNOWN) >= _MOST_KNOWN:
            del _KNOWN[next(iter(_KNOWN))]
        _KNOWN[key] = shortest(machine, groups, work)
    depths = _KNOWN[key]
    return {
        name: tuple(depths[k] for k in group) for name, group in zip(joins, groups, strict=True)
    }


def output_depths(network: QuantizedNetwork) -> dict[str, int]:
    """For each output the depth of a queue with which all of them may be drained in any order.

    Vector by vector, that is: those who take the words may take a whole vector of one output before
    they take any word of it from another, in whatever order. 0 where that needs no queue.
    """
    machine, _ = machine_of(plan_network(replace(network, output_depths={})))
    flows = machine.repeat(), machine.repeat(machine.drained())
    depths = {
        name: max(_waiting(flow, port) for flow in flows)
        for port, name in enumerate(network.leaving)
    }
    return {name: max(depth, _SWIFT) if depth else 0 for name, depth in depths.items()}


def ends_depth(network: QuantizedNetwork) -> int:
    """Depth of the queues in which ends of sequences wait, a bit for each vector under way.

    The most vectors between the first input and an output, and one more: a full queue would keep
    the next vector waiting from its first word on. Layers with state take theirs no later than the
    outputs after them.
    """
    machine, _ = machine_of(plan_network(network), watched=True)
    flow = machine.repeat()
    vectors = flow.seen + flow.turn
    *ports, watched = range(len(flow.counts))
    entered = flow.ends(watched, vectors)
    left = np.max([flow.ends(port, vectors) for port in ports], axis=0)
    under_way = np.arange(1, vectors + 1) - np.searchsorted(left, entered)
    return int(under_way.max()) + 1


def _waiting(flow: Flow, port: int) -> int:
    """Words that wait at a port at most while all others complete a vector that it has not begun.

    As many as leave by then on a machine where no port waits: a port that is full keeps the others
    waiting only if it has let fewer words through than they need.
    """
    vectors = flow.seen + flow.turn
    others = [flow.ends(k, vectors) for k in range(len(flow.counts)) if k != port]
    count = flow.counts[port]
    here = flow.words(port, vectors * count)
    sent = np.searchsorted(here, np.max(others, axis=0), side="right")
    return max(0, int((sent - count * np.arange(vectors)).max()))
