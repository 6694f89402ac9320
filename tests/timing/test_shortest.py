"""The shortest queues of machines, of random ones and of some that one follows by eye."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from fxsim.network.graph import MIN_DEPTH
from fxsim.timing.flow import Flow
from fxsim.timing.machine import Deadlock, Machine
from fxsim.timing.parts import ENDLESS, buffer, fork, join, narrow, pipe, queue, widen
from fxsim.timing.shortest import shortest

QUIET = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
MUCH = 1 << 40


class Structure:
    """A machine with one input and one output, built from its front on; vectors of ``count``."""

    def __init__(self, count: int):
        self.machine, self.count = Machine(), count
        self.joins: list[list[int]] = []
        self.at = self.machine.enter(count=count)

    def dense(self, stages: int) -> None:
        """As a fully connected layer: a word of the output for each pass over the vector."""
        held = self.machine.add(buffer(self.count, self.count), self.at)
        self.at = self.machine.add(pipe(self.count, stages), held)

    def stages(self, stages: int) -> None:
        """A pipeline."""
        self.at = self.machine.add(pipe(1, stages), self.at)

    def wide(self, parts: int) -> None:
        """Gather words and give them out again."""
        gathered = self.machine.add(widen(parts, self.count), self.at)
        self.at = self.machine.add(narrow(parts, self.count), gathered)

    def split(self, ways: int) -> list[int]:
        """Streams of a fork."""
        streams = [self.machine.stream() for _ in range(ways)]
        self.machine.put(fork(), [self.at], streams)
        return streams

    def meet(self, streams: list[int]) -> None:
        """Join streams, each behind a queue."""
        queues, ends = [], []
        for stream in streams:
            ends.append(self.machine.stream())
            queues.append(self.machine.put(queue(MIN_DEPTH), [stream], [ends[-1]]))
        self.joins.append(queues)
        self.at = self.machine.add(join(2), *ends)

    def done(self) -> Machine:
        """Let the stream out."""
        self.machine.leave(self.at, self.count)
        return self.machine


@st.composite
def structures(draw):
    """Series of parts and of branches that meet again; branches may have branches."""
    structure = Structure(draw(st.integers(1, 5)))

    def series(most, depth):
        for _ in range(draw(st.integers(0, most))):
            what = draw(
                st.sampled_from(
                    ("stages", "dense", "wide", "ways") if depth else ("stages", "dense")
                )
            )
            if what == "stages":
                structure.stages(draw(st.integers(1, 9)))
            elif what == "dense":
                structure.dense(draw(st.integers(1, 4)))
            elif what == "wide":
                structure.wide(draw(st.integers(2, 3)))
            else:
                ends = []
                for stream in structure.split(draw(st.integers(2, 3))):
                    structure.at = stream
                    series(2, depth - 1)
                    ends.append(structure.at)
                structure.meet(ends)

    series(4, 2)
    assume(structure.joins)
    structure.done()
    return structure


def run(structure: Structure, depths: dict[int, int]) -> Flow:
    """A run with queues of some depths, 0 being a wire."""
    queues = {k: queue(depth) if depth else None for k, depth in depths.items()}
    return structure.machine.repeat(queues)


def later(structure: Structure, depths: dict[int, int], best: Flow) -> bool:
    """Whether a word is later than in another run, or blocks wait for one another."""
    try:
        return not run(structure, depths).never_later(best) or hangs(structure, depths)
    except Deadlock:
        return True


def hangs(structure: Structure, depths: dict[int, int]) -> bool:
    """Whether blocks wait for one another where each pipeline holds a single word."""
    queues = {k: queue(depth) if depth else None for k, depth in depths.items()}
    try:
        structure.machine.repeat(queues | structure.machine.drained())
    except Deadlock:
        return True
    return False


@QUIET
@given(structure=structures())
def test_depths_cost_no_time_and_none_can_be_less(structure):
    depths = shortest(structure.machine, structure.joins, MUCH)
    best = run(structure, depths)
    assert not hangs(structure, depths)
    endless = {k: queue(ENDLESS) if depth else None for k, depth in depths.items()}
    words = 40 * structure.count
    soonest = structure.machine.run(40, endless).words(0, words)
    assert (best.words(0, words) <= soonest).all()
    for k, depth in depths.items():
        if depth > MIN_DEPTH:
            assert later(structure, depths | {k: depth - 1}, best)
        if 0 < depth <= MIN_DEPTH + 1:  # longer ones are not tried once more when others are wires
            assert later(structure, depths | {k: 0}, best)


@QUIET
@given(structure=structures())
def test_what_endless_queues_hold_is_enough(structure):
    """Also without any time to look for less, and never slower than what was found with time."""
    depths, found = (shortest(structure.machine, structure.joins, work) for work in (0, MUCH))
    assert all(depths.values())
    flow, best = run(structure, depths), run(structure, found)
    assert best.never_later(flow)
    assert flow.interval == best.interval


@pytest.mark.parametrize("stages", [3, 12])
def test_the_way_without_stages_needs_the_queue(stages):
    """Whichever comes first; it holds a word for each stage, and one that is taken."""
    for order in (1, -1):
        structure = Structure(4)
        long, short = structure.split(2)
        structure.at = long
        structure.stages(stages)
        structure.meet([structure.at, short][::order])
        machine = structure.done()
        depths = shortest(machine, structure.joins, MUCH)
        (first, second) = [depths[k] for k in structure.joins[0]][::order]
        assert (first, second) == (0, stages + 1)


def test_pauses_drain_the_pipelines_that_hold_a_vector():
    """Eight stages hold four words that come at once, but one where pauses are between them."""
    structure = Structure(4)
    long, short = structure.split(2)
    structure.at = long
    structure.dense(2)
    long, structure.at = structure.at, short
    structure.stages(8)
    structure.meet([long, structure.at])
    machine = structure.done()
    depths = shortest(machine, structure.joins, MUCH)
    wires = dict.fromkeys(depths, 0)
    assert run(structure, wires).never_later(run(structure, depths))
    assert hangs(structure, wires)
    assert not hangs(structure, depths)


def test_ways_of_one_length_need_no_queue():
    structure = Structure(4)
    ways = []
    for stream in structure.split(3):
        structure.at = stream
        structure.stages(5)
        ways.append(structure.at)
    structure.meet(ways)
    assert set(shortest(structure.done(), structure.joins, MUCH).values()) == {0}


def test_inputs_that_meet_wait_outside():
    """A slow one and a fast one: what an endless queue would hold of the fast one has no end."""
    machine = Machine()
    structure = Structure(3)
    structure.dense(2)
    machine = structure.machine
    structure.meet([structure.at, machine.enter(count=3)])
    depths = shortest(structure.done(), structure.joins, MUCH)
    assert set(depths.values()) == {0}
