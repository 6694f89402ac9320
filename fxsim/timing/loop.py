"""Cycles of a network with LSTM layers, in closed form: from the beats before to those after.

They are exact where no block waits for the next one. Padded tiles of U h, lanes of a projection
that do not divide those that U h takes, and layers around the LSTM whose tiles leave faster than
they are taken can make the hardware a few cycles later; the regression says so.

The times are those of a willing source and a ready sink. Each block passes beats in order, one a
cycle, a fixed number of cycles after the beat that completes them, so the time of every beat
follows from those before it; the buffers are so large that no block waits for the ones after it.
"""

from __future__ import annotations

from collections.abc import Callable

from fxsim.plan.buffers import VectorBufferConfig
from fxsim.plan.graph import Group, Node
from fxsim.plan.lstm import LoopGroup
from fxsim.plan.planner import Plan
from fxsim.plan.records import Record
from fxsim.plan.resize import NarrowConfig, WidenConfig
from fxsim.timing.blocks import latency

_LONG_AGO = -(1 << 40)

Times = list[int]
Stage = Callable[[Times], Times]
"""From the cycles in which the beats of a vector arrive to those in which they leave."""


def completion_times(plan: Plan, vectors: int) -> Times:
    """Cycle of the last output beat of each vector; the first input beat is taken in cycle 0."""
    network = _chain(*map(_stage, plan.group.nodes))
    beats = plan.input.count
    return [network(list(range(k * beats, (k + 1) * beats)))[-1] for k in range(vectors)]


def _stage(node: Node) -> Stage:
    if isinstance(node.record, LoopGroup):
        return _lstm(node.record)
    if isinstance(node.record, Group):
        return _chain(*map(_stage, node.record.nodes))
    return _block(node.record)


def _chain(*stages: Stage) -> Stage:
    def stage(times: Times) -> Times:
        for part in stages:
            times = part(times)
        return times

    return stage


def _block(record: Record) -> Stage:
    """A block that gives a beat a cycle, for each of its beats as soon as those before allow."""
    now, delay = _LONG_AGO, latency(record)
    taken, _ = record.ratio
    needed = _last_needed(record)

    def stage(times: Times) -> Times:
        nonlocal now
        leaving = []
        for start in range(0, len(times), taken):
            for last in needed:
                now = max(now + 1, times[start + last] + delay)
                leaving.append(now)
        return leaving

    return stage


def _last_needed(record: Record) -> list[int]:
    """For each beat that a block gives, which of those that it takes completes it."""
    taken, given = record.ratio
    if isinstance(record, VectorBufferConfig):
        return [beat % taken for beat in range(given)]
    if isinstance(record, NarrowConfig):
        return [beat // record.parts for beat in range(given)]
    parts = record.parts if isinstance(record, WidenConfig) else taken
    return [min((beat + 1) * parts, taken) - 1 for beat in range(given)]


def _lstm(group: LoopGroup) -> Stage:
    input_terms, hidden_terms = (_terms(group, name) for name in ("input", "hidden"))
    delay, spacing = latency(group.cell), group.cell.spacing
    after = [_stage(node) for node in group.nodes if node.path == "projection"]
    project, output = _chain(*after), _stage(group["output"])
    fork = _fork(group)
    hidden = [_LONG_AGO] * group.fed_back.count
    now = _LONG_AGO

    def stage(times: Times) -> Times:
        nonlocal hidden, now
        taken = []
        for from_input, from_hidden in zip(input_terms(times), hidden_terms(hidden), strict=True):
            here = max(from_input, from_hidden, now + 1)
            # In step with the cells that are inside, or as soon as they have left.
            aligned = now - spacing * ((now - here) // spacing)
            now = min(aligned, max(here, now + delay))
            taken.append(now)
        leaving, hidden = fork(project([time + delay for time in taken]))
        return output(leaving)

    return stage


def _terms(group: LoopGroup, name: str) -> Stage:
    """A product and what brings its output to the cell."""
    paths = (f"{name}_product", f"{name}_terms")
    return _chain(*(_stage(node) for node in group.nodes if node.path.startswith(paths)))


def _fork(group: LoopGroup) -> Callable[[Times], tuple[Times, Times]]:
    """Cycles in which beats of h leave the layer, and in which U h takes them.

    U h takes a beat of a projection in narrower words, one a cycle; the next beat waits for that.
    """
    first = next(b.record for b in group.blocks() if b.path.startswith("hidden_product."))
    parts = [1] * group.fed_back.count
    if isinstance(first, NarrowConfig):
        wide, slim = first.ratio
        parts = [min(first.parts, slim - first.parts * k) for k in range(wide)]
    taken = free = _LONG_AGO

    def stage(times: Times) -> tuple[Times, Times]:
        nonlocal taken, free
        leaving, fed_back = [], []
        for time, count in zip(times, parts, strict=True):
            leaving.append(max(time, taken + 1))
            taken = max(leaving[-1], free)
            fed_back.append(taken)
            free = taken + count
        return leaving, fed_back

    return stage
