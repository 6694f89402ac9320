"""Zero skipping in time: when each beat, piece and group moves, from event to event."""

from __future__ import annotations

import numpy as np

from fxsim.arithmetic.tensors import IntArray
from fxsim.kernels.jit import inlined, jit
from fxsim.timing.kernels.blocks import after

_PASS = 0
"""The only column of outputs that have one for each group."""


@jit
def count_pairs(gradients: IntArray, lanes: int, threshold: int) -> IntArray:
    """Values beyond the threshold in each beat, shape (vectors, beats)."""
    vectors, items = gradients.shape
    counts = np.zeros((vectors, -(-items // lanes)), np.int64)
    for v in range(vectors):
        for b in range(counts.shape[1]):
            beat, count = gradients[v, b * lanes : (b + 1) * lanes], 0
            if threshold == 0:
                for value in beat:
                    count += value != 0
            else:
                for value in beat:
                    count += (value > threshold) | (value < -threshold)
            counts[v, b] = count
    return counts


@jit
def run(
    counts: IntArray,
    issue: int,
    depth: int,
    room: int,
    tiles: int,
    accepted: IntArray,
    outputs: IntArray,
    groups: IntArray,
    starved: IntArray,
    full: IntArray,
) -> int:
    """Follow every beat through marker, queue, picker, gather and (with ``room``) replay buffer.

    Each event is one maximum over those that it waits for; only the number of pairs in a beat
    matters. Fills ``accepted``, shape (vectors * beats,) or empty, and ``outputs``: cycles of the
    last group of each pass, shape (vectors, tiles), of each vector, shape (vectors, 1), or of every
    group, shape (more than vectors, 1), for which ``room`` is 0. ``groups``, ``starved`` and
    ``full`` have for each vector its groups, the idle cycles before them, and the cycles that its
    beats waited. Returns the number of all groups.
    """
    vectors, beats = counts.shape
    taken = np.zeros(depth, np.int64)  # when the picker dropped an entry, by place in the queue
    freed = np.zeros(max(room, 1), np.int64)  # when the buffer freed a group, by place
    entries = emitted = level = point = block = 0
    head = tail = 0  # places in the queue and in the buffer
    beat = step = moved = picked = left = -1
    every = outputs.shape[0] > vectors
    for v in range(vectors):
        held, size = 0, 0
        for b in range(beats):
            count, end = counts[v, b], b == beats - 1
            now = max(beat + 1, block)  # a beat waits while the one before it does
            full[v] += now - beat - 1
            beat = now
            if len(accepted):
                accepted[v * beats + b] = now
            if count == 0 and not end:
                continue
            # What is held is now known to be its vector's last entry, or not. Then this beat is
            # held, or is the last entry itself: with no pairs if the vector has none.
            for turn in range(0 if held else 1, 1 if held and count == 0 else 2):
                if turn == 0:
                    pairs, pushed, last = held, now, count == 0
                    block = 0
                else:
                    space = taken[head] + 1 if entries >= depth else 0
                    block = space
                    held = count
                    if not end:
                        continue
                    pairs, pushed, last = count, max(now + 1, space), True
                    block = pushed
                pieces = max(-(-pairs // issue), 1)  # the picker takes the entry apart
                for k in range(pieces):
                    picked = max(picked + 1, pushed + 1, left)
                    closing = last and k == pieces - 1
                    if issue == 1:
                        step, emits = picked, 1
                    else:
                        step = max(picked + 1, step + 1, moved)
                        left = step
                        total = level + min(pairs - k * issue, issue)
                        emits, level = _gather(total, issue, closing)
                    for e in range(emits):
                        step = max(step + 1, moved) if e else step
                        moved, here = _emit(step, point, freed[tail], room, emitted >= room)
                        starved[v] += here - point - 1
                        point = here
                        if every:
                            outputs[emitted, _PASS] = here
                        if room:
                            freed[tail] = here
                            tail = after(tail, room)
                        emitted += 1
                        size += 1
                    if issue == 1:
                        left = moved
                taken[head] = picked
                entries += 1
                head = after(head, depth)
        groups[v] = size
        if not every:
            _repeat(freed, tail, outputs, v, point, size, tiles)
        point += (tiles - 1) * size
    return emitted


@inlined
def _gather(total: int, issue: int, closing: bool) -> tuple[int, int]:
    """Groups of ``issue`` pairs that ``total`` pairs make, and the pairs that are left."""
    emits = 1 + int(total > issue) if closing else int(total >= issue)
    return emits, 0 if closing else total - issue * emits


@inlined
def _emit(step: int, point: int, freed: int, room: int, fills: bool) -> tuple[int, int]:
    """Cycles in which a group leaves the gather, and in which it is worked on."""
    moved = step + 1
    if room and fills:
        moved = max(moved, freed + 1)
    return moved, max(moved + 1, point + 1) if room else moved


@inlined
def _repeat(
    freed: IntArray, tail: int, outputs: IntArray, v: int, point: int, size: int, tiles: int
) -> None:
    """Give the groups of a vector again for each tile, without a gap; the last pass frees them.

    ``outputs`` of the vector are the cycle of the last group of each pass, or of the last pass.
    """
    place = tail
    for k in range(size if tiles > 1 else 0):
        place = place - 1 if place else len(freed) - 1
        freed[place] = point + (tiles - 1) * size - k
    ends = outputs.shape[1] - 1
    for t in range(tiles) if ends else range(tiles - 1, tiles):
        outputs[v, min(t, ends)] = point + t * size
