"""The machine of a whole network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fxsim.errors import RangeError
from fxsim.plan.buffers import ForkConfig, QueueConfig
from fxsim.plan.graph import Source
from fxsim.plan.planner import Plan
from fxsim.timing import parts
from fxsim.timing.blocks import block_of
from fxsim.timing.machine import Deadlock, Machine


def machine_of(plan: Plan, *, watched: bool = False) -> tuple[Machine, dict[str, int]]:
    """Machine of a plan, its ports in the order of the plan's; queues by path, as blocks of it.

    If it is ``watched``, a last port gives out what the first input takes in.
    """
    machine = Machine(led=bool(plan.recurrent) and len(plan.inputs) > 1)
    streams, queues = dict[Source, int](), dict[str, int]()

    def given(source: Source) -> int:
        """Stream that a block or an input yields."""
        if source not in streams:
            streams[source] = machine.stream()
        return streams[source]

    def taken(source: Source) -> int:
        """Stream that a block takes: where it leads back, a vector of zeros comes before it."""
        if source not in plan.loops:
            return given(source)
        return machine.add(parts.feedback(plan.loops[source].count), given(source))

    seen, (first, *_) = machine.stream(), plan.inputs
    for name, stream in plan.inputs.items():
        inner = given((name, 0))
        if not watched or name != first:
            machine.enter(inner, stream.count)
            continue
        entering = machine.enter(count=stream.count)
        machine.put(parts.fork(), [entering], [inner, seen])
    for node in plan.blocks:
        sinks = node.record.sinks if isinstance(node.record, ForkConfig) else 1
        k = machine.put(
            block_of(node.record),
            [taken(source) for source in node.sources],
            [given((node.path, sink)) for sink in range(sinks)],
        )
        if isinstance(node.record, QueueConfig):
            queues[node.path] = k
    for source, stream in zip(plan.ends.values(), plan.outputs.values(), strict=True):
        machine.leave(given(source), stream.count, follows=bool(plan.recurrent))
    if watched:
        machine.leave(seen, plan.inputs[first].count)
    return machine, queues


@contextmanager
def naming_queues(plan: Plan) -> Iterator[None]:
    """Say which queues of a plan are too short where its machine comes to a deadlock."""
    try:
        yield
    except Deadlock:
        asked = ", ".join(
            f"{node.path}: {node.record.depth}"
            for node in plan.blocks
            if isinstance(node.record, QueueConfig)
        )
        short = f"the queues are too short ({asked} words)" if asked else "there are no queues"
        raise RangeError(f"{short}: the network would deadlock") from None
