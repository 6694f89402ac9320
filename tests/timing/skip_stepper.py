"""Zero skipping stepped cycle by cycle: the control of each block without data.

`fxsim.timing.skip_unit` computes the same from event to event, and is held to this.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from fxsim.arithmetic.tensors import IntArray

Entry = tuple[int, bool]
"""Pairs of an entry of the queue, and if it is the last one of its vector."""


class _Marker:
    """Holds a beat with pairs until it is known to be its vector's last entry or not."""

    def __init__(self) -> None:
        self.full, self.known, self.held = False, False, 0

    def step(self, offered: bool, count: int, ends: bool, space: bool) -> tuple[bool, Entry | None]:
        """Return if the beat is taken, and the entry that is pushed."""
        accept = offered and (space or not self.full)
        closes = ends and count == 0
        push = self.full and space and (self.known or closes or count > 0)
        load = accept and (count > 0 or (ends and (self.known or not self.full)))
        entry = (self.held, self.known or closes) if push else None
        self.full = load or (self.full and not push)
        if load:
            self.held, self.known = count, ends
        return accept, entry


class _Picker:
    """Takes entries apart into pieces; one is in its register."""

    def __init__(self, issue: int) -> None:
        self.issue = issue
        self.rest, self.started = 0, False
        self.piece, self.last, self.valid = 0, False, False

    def step(self, queue: deque[Entry]) -> None:
        self.valid = bool(queue)
        if queue:
            pairs, closing = queue[0]
            self.rest = self.rest if self.started else pairs
            self.piece, self.started = min(self.rest, self.issue), self.rest > self.issue
            self.rest -= self.piece
            self.last = closing and not self.started
            if not self.started:
                queue.popleft()


class _Gather:
    """Makes groups of pieces; one is in its register."""

    def __init__(self, issue: int) -> None:
        self.issue = issue
        self.level, self.ending = 0, False
        self.valid, self.last = False, False

    def step(self, take: bool, piece: int, closing: bool) -> None:
        total = self.level + (piece if take else 0)
        end = self.ending or (take and closing)
        self.valid, self.last = end or total >= self.issue, end and total <= self.issue
        self.level = max(total - self.issue, 0) if self.valid else total
        self.ending = end and not self.last


class _Buffer:
    """Gives the groups of a vector once for every tile; the last tile frees them."""

    def __init__(self, tiles: int) -> None:
        self.tiles = tiles
        self.groups: deque[bool] = deque()  # whether each is the last one of its vector
        self.unread = self.here = self.tile = 0

    def step(self, moved: bool, last: bool) -> bool:
        """Return if the last group of a pass is given."""
        finished = False
        if self.unread > 0:
            finished, final = self.groups[self.here], self.tile == self.tiles - 1
            self.unread -= 1
            if final:
                self.groups.popleft()
            else:
                self.here += 1
            if finished:
                self.here, self.tile = 0, 0 if final else self.tile + 1
                self.unread = self.unread if final else len(self.groups)
        if moved:
            self.groups.append(last)
            self.unread += 1
        return finished


def step_all(
    counts: IntArray, issue: int, depth: int, room: int, tiles: int
) -> tuple[IntArray, IntArray, int, IntArray]:
    """Step all units; with ``room`` a `ReplayBuffer` of that depth follows the skipper.

    Returns the cycles of accepted beats, those of groups out of the skipper (``room`` 0) or of the
    last groups of each pass at the MAC array, the number of the groups it takes, and the cycles
    without any before those of each vector.
    """
    vectors, beats = counts.shape
    marker, picker, gather, buffer = _Marker(), _Picker(issue), _Gather(issue), _Buffer(tiles)
    queue: deque[Entry] = deque()
    accepted, outputs = list[int](), list[int]()
    starved = np.zeros(vectors, np.int64)
    ended = busy = cycle = 0
    while ended < vectors * tiles:
        # Combinational values, from the sink to the source.
        ready = room == 0 or len(buffer.groups) < room
        if issue == 1:  # there is nothing to gather
            valid, last = picker.valid, picker.last
            pick = ready or not picker.valid
        else:
            valid, last = gather.valid, gather.last
            step = ready or not gather.valid
            pick = not picker.valid or (step and not gather.ending)
        moved = valid and ready
        beat = len(accepted)
        offered = beat < counts.size
        count = int(counts.flat[beat]) if offered else 0
        ends = offered and beat % beats == beats - 1

        # Registers, from the sink to the source.
        works = buffer.unread > 0 if room else moved
        busy += works
        if cycle > 0 and not works:
            starved[ended // tiles] += 1
        finished = buffer.step(moved, last) if room else moved and last
        if finished or (moved and not room):
            outputs.append(cycle)
        ended += finished
        space = len(queue) < depth
        if issue > 1 and step:
            gather.step(picker.valid and not gather.ending, picker.piece, picker.last)
        if pick:
            picker.step(queue)
        accept, entry = marker.step(offered, count, ends, space)
        if entry is not None:
            queue.append(entry)
        if accept:
            accepted.append(cycle)
        cycle += 1
    return np.array(accepted), np.array(outputs), busy, starved
