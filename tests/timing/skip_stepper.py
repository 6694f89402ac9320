"""Zero skipping stepped cycle by cycle: the control of each block without data.

`fxsim.timing.skip_unit` computes the same from event to event, and is held to this.
"""

from __future__ import annotations

import numpy as np

from fxsim.arithmetic.tensors import IntArray


def step_all(
    counts: IntArray, issue: int, depth: int, room: int, tiles: int
) -> tuple[IntArray, IntArray, int, IntArray]:
    """Step all units; with ``room`` a `ReplayBuffer` of that depth follows the skipper.

    Returns the cycles of accepted beats, those of groups out of the skipper (``room`` 0) or of the
    last groups of each pass at the MAC array, the number of the groups it takes, and the cycles
    without any before those of each vector.
    """
    vectors, beats = counts.shape
    accepted = np.zeros(vectors * beats, np.int64)
    outputs = np.zeros(vectors * tiles if room else vectors * beats + counts.sum(), np.int64)
    done = ended = busy = beat = 0
    starved = np.zeros(vectors, np.int64)

    full, known, held = False, False, 0  # marker
    queue, lasts = np.zeros(depth, np.int64), np.zeros(depth, np.bool_)
    read = queued = 0
    rest, started, piece, p_last, p_valid = 0, False, 0, False, False  # picker and its register
    level, ending = 0, False  # gather
    valid, last = False, False
    groups = np.zeros(max(room, 1), np.bool_)  # buffer: the end flags of its groups
    write = start = here = stored = unread = tile = 0

    cycle = 0
    while ended < vectors * tiles if room else ended < vectors:
        # Combinational values, from the sink to the source.
        ready = room == 0 or stored < room
        moved = valid and ready
        step = ready or not valid
        take = p_valid and not ending
        total = level + (piece if take else 0)
        end = ending or (take and p_last)
        emit = end or total >= issue
        if issue == 1:
            valid, last, moved = p_valid, p_last, p_valid and ready
            pick = ready or not p_valid
        else:
            pick = not p_valid or (step and not ending)
        space = queued < depth
        offered = beat < vectors * beats
        count = counts[beat // beats, beat % beats] if offered else 0
        ends = offered and beat % beats == beats - 1
        accept = offered and (space or not full)
        closes = ends and count == 0
        push = full and space and (known or closes or count > 0)
        load = accept and (count > 0 or (ends and (known or not full)))

        # Registers, from the sink to the source.
        if cycle > 0 and not (unread > 0 if room else moved):
            starved[ended // tiles] += 1
        if room:
            if unread > 0:
                busy += 1
                finished, final = groups[here], tile == tiles - 1
                here = (here + 1) % room
                unread -= 1
                stored -= final
                if finished:
                    outputs[ended] = cycle
                    ended += 1
                    if final:
                        start, tile = here, 0
                    else:
                        here, unread, tile = start, stored, tile + 1
            if moved:
                groups[write] = last
                write = (write + 1) % room
                stored += 1
                unread += 1
        elif moved:
            outputs[done] = cycle
            done += 1
            ended += last
            busy += 1
        if step and issue > 1:
            valid, last = emit, end and total <= issue
            level = max(total - issue, 0) if emit else total
            ending = end and not last
        if pick:
            p_valid = queued > 0
            if queued > 0:
                rest = rest if started else queue[read]
                piece, started = min(rest, issue), rest > issue
                rest -= piece
                p_last = lasts[read] and not started
                if not started:
                    read = (read + 1) % depth
                    queued -= 1
        if push:
            slot = (read + queued) % depth
            queue[slot], lasts[slot] = held, known or closes
            queued += 1
        full = load or (full and not push)
        if load:
            held, known = count, ends
        if accept:
            accepted[beat] = cycle
            beat += 1
        cycle += 1
    return accepted, outputs if room else outputs[:done], busy, starved
