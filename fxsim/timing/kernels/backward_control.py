"""The control of a backward pass in hardware, cycle by cycle: who waits for whom."""

from __future__ import annotations

import numpy as np

from fxsim.arithmetic.tensors import IntArray
from fxsim.kernels.jit import jit

GATES = 4

SINKS = 5
"""Consumers of the pairs, each behind a buffer: dh, dx, dW, dU, db."""

# Columns of the shape of a product: 1 if pairs are scaled; stages of the array; sums of a wide word
# and of a vector, parts of a wide word and output beats of a vector (0 where words are not
# gathered, or not split); stages of the cut.
SCALER, STAGES, GATHERED, SUMS, SPLIT, BEATS, CUT = range(7)

# Registers of a product. Groups are 1, or 3 for the last one of a tile: two of them in the scaler;
# ends of tiles on their way through the array, and at its output; the wide word that gathers, its
# sums, those of the vector; the one that is split, likewise; beats in the cut, and at its output.
_EARLY, _SCALED, _WAY, _SUM, _WIDE, _SUM_PART, _SUM_PLACE = range(7)
_SLIM, _PART, _PLACE, _CUTTING, _OUT = range(7, 12)
REGISTERS = 12


@jit
def _ready(at: IntArray, shape: IntArray, ready: bool) -> tuple[bool, bool, bool, bool, bool]:
    """Whether scaler, array, both words and cut of a product move, given its sink."""
    cut = at[_OUT] == 0 or ready
    slim = cut
    if shape[SPLIT]:
        ends = at[_PART] == shape[SPLIT] - 1 or at[_PLACE] == shape[BEATS] - 1
        slim = at[_SLIM] == 0 or (cut and ends)
    wide = slim
    if shape[GATHERED]:
        wide = at[_WIDE] == 0 or slim
    array = at[_SUM] == 0 or wide
    scaler = array
    if shape[SCALER]:
        scaler = at[_SCALED] == 0 or array
    return scaler, array, wide, slim, cut


@jit
def _move(at: IntArray, shape: IntArray, group: int, ready: bool) -> None:
    """One clock edge of a product that is offered ``group``, or 0; the sink's end comes first."""
    scaler, array, wide, slim, cut = _ready(at, shape, ready)
    word = at[_WIDE] if shape[GATHERED] else at[_SUM]
    beat = at[_SLIM] if shape[SPLIT] else word
    if cut:
        at[_OUT] = at[_CUTTING] >> (shape[CUT] - 2) & 1
        at[_CUTTING] = at[_CUTTING] << 1 | beat
    if shape[SPLIT]:
        if at[_SLIM] and cut:
            ends = at[_PLACE] == shape[BEATS] - 1
            at[_PART] = 0 if ends or at[_PART] == shape[SPLIT] - 1 else at[_PART] + 1
            at[_PLACE] = 0 if ends else at[_PLACE] + 1
        if slim:
            at[_SLIM] = word
    if shape[GATHERED] and wide:
        at[_WIDE] = 0
        if at[_SUM]:
            ends = at[_SUM_PLACE] == shape[SUMS] - 1
            full = ends or at[_SUM_PART] == shape[GATHERED] - 1
            at[_WIDE] = int(full)
            at[_SUM_PART] = 0 if full else at[_SUM_PART] + 1
            at[_SUM_PLACE] = 0 if ends else at[_SUM_PLACE] + 1
    if array:
        source = at[_SCALED] if shape[SCALER] else group
        at[_SUM] = at[_WAY] >> (shape[STAGES] - 1) & 1
        at[_WAY] = at[_WAY] << 1 | source >> 1
    if shape[SCALER] and scaler:
        at[_SCALED] = at[_EARLY]
        at[_EARLY] = group


@jit
def run(
    counts: IntArray,
    steps: int,
    latency: int,
    depth: int,
    room: int,
    tiles: IntArray,
    shapes: IntArray,
    accepted: IntArray,
    outputs: IntArray,
    carried: IntArray,
    passed: IntArray,
) -> None:
    """Every cycle of a batch, for willing sources and ready sinks.

    Parameters
    ----------
    counts : int64 array, shape (vectors, beats)
        Pairs in each beat of gate gradients; sequences from their last step to their first. A step
        has as many beats of cells.
    steps : int
        Of a sequence.
    latency : int
        Cycles from a beat of cells to their gate gradients.
    depth, room : int
        Beats that the queue holds, and groups that a buffer does.
    tiles : int64 array, shape (SINKS,)
    shapes : int64 array, shape (2, 7)
        Of the products dh and dx.
    accepted, outputs, carried : int64 arrays
        Filled with the cycle of each beat of cells, of dx, and of dh before the first step.
    passed : int64 array, shape (SINKS,)
        Filled with the cycle of the last group.
    """
    beats = counts.shape[1]
    count, total = counts.ravel(), counts.size
    products = np.zeros((2, REGISTERS), np.int64)
    # Beats that have passed: of cells, out of the block order, through the marker, of dh and of dx.
    cells = read = marked = handed = sent = 0
    pipeline = level = 0  # beats on their way to the block order, and in it
    shown = full = known = False  # in front of the marker; in it, and whether a vector's last one
    held = 0
    queue, closing = np.zeros(depth, np.int64), np.zeros(depth, np.bool_)
    pushed = popped = given = group = 0  # entries, pairs given of the first one, what is offered
    served, lasts = np.zeros(SINKS, np.bool_), np.zeros((SINKS, room), np.bool_)
    buffers = np.zeros((6, SINKS), np.int64)
    write, place, start = buffers[0], buffers[1], buffers[2]
    stored, unread, tile = buffers[3], buffers[4], buffers[5]
    cycle = 0
    while sent < len(outputs) or handed < total or unread.any():
        # Cells, and dh on its way round.
        first, final = cells // beats % steps == 0, handed // beats % steps == steps - 1
        arrives, room_left = pipeline >> (latency - 1) & 1, level < 2 * beats
        advance = (not arrives or room_left) and cells < total
        back = products[0, _OUT] == 1
        accept = advance and (first or (back and not final))
        hands_on = final or (advance and not first)
        if back and hands_on:
            if final:
                carried[handed // beats // steps * beats + handed % beats] = cycle
            handed += 1
        if products[1, _OUT]:
            outputs[sent] = cycle
            sent += 1
        if accept:
            accepted[cells] = cycle
            cells += 1

        # Buffers to the products and to the sums, which are always ready.
        everywhere = True
        for k in range(SINKS):
            everywhere &= served[k] or stored[k] < room
        for k in range(SINKS):
            offered = 1 + 2 * int(lasts[k, place[k]]) if unread[k] else 0
            ready = True
            if k < len(products):
                sink = hands_on if k == 0 else True
                ready = _ready(products[k], shapes[k], sink)[0]
                _move(products[k], shapes[k], offered, sink)
            new = group > 0 and not served[k] and stored[k] < room
            served[k] = group > 0 and not everywhere and (served[k] or new)
            if new:
                lasts[k, write[k]] = group == 3
                write[k] = (write[k] + 1) % room
            stored[k] += new
            unread[k] += new
            if offered and ready:
                passed[k] = cycle
                frees = tile[k] == tiles[k] - 1
                place[k] = (place[k] + 1) % room
                stored[k] -= frees
                unread[k] -= 1
                if offered == 3:
                    tile[k] = 0 if frees else tile[k] + 1
                    if frees:
                        start[k] = place[k]
                    else:
                        place[k], unread[k] = start[k], stored[k]

        # Picker, queue, marker, block order: each looks at the registers of the one before it.
        space = pushed - popped < depth
        if group == 0 or everywhere:
            group = 0
            if pushed > popped:
                done = queue[popped % depth] - given <= 1
                group = 3 if done and closing[popped % depth] else 1
                given = 0 if done else given + 1
                popped += done
        ends = marked % beats == beats - 1
        some = shown and count[marked] > 0
        closes = shown and ends and not some
        take = shown and (space or not full)
        load = take and (some or (ends and (known or not full)))
        if full and space and (known or (shown and (ends or some))):
            queue[pushed % depth], closing[pushed % depth] = held, known or closes
            pushed += 1
            full = False
        if load:
            held, known, full = count[marked], ends, True
        marked += take
        finished = 0
        if take or not shown:
            shown = level > GATES * (read % beats % (beats // GATES)) + GATES - 1
            read += shown
            finished = beats if shown and read % beats == 0 else 0
        if arrives and room_left:
            level += 1
        level -= finished
        if not arrives or room_left:
            pipeline = pipeline << 1 | int(accept)
        cycle += 1
