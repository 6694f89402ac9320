"""The machine of a whole network: cycle of each beat that leaves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from fxsim.errors import RangeError
from fxsim.network import IntArray
from fxsim.plan.buffers import ForkConfig, QueueConfig
from fxsim.plan.planner import Plan
from fxsim.timing.blocks import block_of
from fxsim.timing.machine import Machine


def times_and_depths(
    plan: Plan,
    vectors: int,
    depths: Mapping[str, int] | None = None,
    latest: IntArray | None = None,
) -> tuple[IntArray, dict[str, int]]:
    """Cycle of each output beat, and the depths with which no queue would refuse a beat.

    Parameters
    ----------
    plan : Plan
        Without LSTM layers.
    vectors : int
    depths : mapping of str to int, optional
        Depths of queues by their paths, in place of those of the plan.
    latest : int64 array, optional
        Cycle that each output beat must not be later than.

    Raises
    ------
    RangeError
        If a queue is so short that its join waits forever, or a beat is late.
    """
    (name,) = plan.inputs
    machine, streams, queues = Machine(), {(name, 0): 0}, {}
    depths = queue_depths(plan) | dict(depths or {})
    for node in plan.blocks:
        record, sources = node.record, [streams[source] for source in node.sources]
        if isinstance(record, QueueConfig):
            record = replace(record, depth=depths[node.path])
        sinks = record.sinks if isinstance(record, ForkConfig) else 1
        found = machine.add(block_of(record), *sources, sinks=sinks)
        streams |= {(node.path, k): stream for k, stream in enumerate(found)}
        if isinstance(record, QueueConfig):
            queues[found[0]] = node.path
    words = vectors * plan.input.count, vectors * plan.output.count
    try:
        times, least = machine.run(*words, latest)
    except RangeError:
        asked = ", ".join(f"{path}: {depth}" for path, depth in depths.items())
        raise RangeError(
            f"the queues are too short ({asked} words): the network would deadlock"
        ) from None
    return times, {path: least[stream] for stream, path in queues.items()}


def queue_depths(plan: Plan) -> dict[str, int]:
    """Depth of each queue, by its path."""
    return {
        node.path: node.record.depth for node in plan.blocks if isinstance(node.record, QueueConfig)
    }
