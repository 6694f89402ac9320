"""Where skid buffers are needed: between two blocks that stall.

Without one, ready would lead from the registers of the second block through those of the first. A
block that stores ends that way by itself. What a queue holds is no matter here: its depth may be 0.
"""

from __future__ import annotations

from fxsim.plan.buffers import QueueConfig
from fxsim.plan.graph import Group
from fxsim.plan.records import Record, Waits, waits


def gives_stalling(record: Record | Group, before: bool) -> bool:
    """True if a block that stalls gives the words that leave a block or a group.

    ``before`` says so of the words that come in.
    """
    if isinstance(record, Group):
        found = dict.fromkeys(record.inputs, before)
        for node in record.nodes:
            (first, _), *_ = node.sources
            found[node.path] = gives_stalling(node.record, found.get(first, False))
        return found[record.source[0]]
    return before if waits(record) is Waits.PASSES else waits(record) is Waits.STALLS


def takes_stalling(record: Record | Group, operand: int) -> bool:
    """True if a block that stalls takes the words that come in to a block or a group."""
    if not isinstance(record, Group):
        return waits(record) is Waits.STALLS
    reached = {list(record.inputs)[operand]}
    for node in record.nodes:
        for k, (source, _) in enumerate(node.sources):
            if source not in reached:
                continue
            if takes_stalling(node.record, k):
                return True
            if _hands_on(node.record):
                reached.add(node.path)
    return False


def _hands_on(record: Record | Group) -> bool:
    if isinstance(record, Group):
        return False
    return isinstance(record, QueueConfig) or waits(record) is Waits.PASSES
