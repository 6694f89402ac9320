"""The control of a backward pass in hardware, cycle by cycle: who waits for whom."""

from __future__ import annotations

import numpy as np

from fxsim.arithmetic.tensors import IntArray
from fxsim.kernels.jit import inlined, jit
from fxsim.timing.kernels.blocks import BoolArray, after

GATES = 4

SINKS = 5
"""Consumers of the pairs, each after a buffer: dh, dx, dW, dU, db."""

# Columns of the shape of a product: 1 if pairs are scaled; stages of the array; sums of a wide word
# and of a vector, parts of a wide word and output beats of a vector (0 where words are not
# gathered, or not split); stages of the cut.
SCALER, STAGES, GATHERED, SUMS, SPLIT, BEATS, CUT = range(7)

# Registers of a product. Groups are 1, or 3 for the last one of a tile: two of them in the scaler;
# ends of tiles on their way through the array, and at its output; the wide word that gathers, its
# sums, those of the vector; the one that is split, its beats, those of the vector; beats in the
# cut, and at its output.
_EARLY, _SCALED, _WAY, _SUM, _WIDE, _SUM_PART, _SUM_PLACE = range(7)
_SLIM, _PART, _PLACE, _CUTTING, _OUT = range(7, 12)
REGISTERS = 12

# Registers of a buffer: places to write, to read, and where the vector that is read begins; groups
# stored, and those not read yet in this tile; the tile; 1 if the buffer has what is offered to all.
_WRITE, _READ, _START, _STORED, _UNREAD, _TILE, _SERVED = range(7)
BUFFER_REGISTERS = 7

# Registers from the cells to the buffers. Beats that have passed: of cells, out of the block order,
# through the marker, of dh and of dx; beats on their way to the block order (a bit each), and in
# it; 1 for a beat in front of the marker, for one in it, and if that is the last one of a vector;
# its pairs; entries that the queue has taken and given, and pairs given of the first one; the group
# that the picker offers.
_CELLS, _ORDERED, _MARKED, _HANDED, _SENT, _PIPELINE, _LEVEL = range(7)
_SHOWN, _FULL, _KNOWN, _HELD, _PUSHED, _POPPED, _GIVEN, _GROUP = range(7, 15)
CONTROL_REGISTERS = 15

# Columns of the queue: pairs of an entry; 1 if it is the last one of its vector.
_PAIRS, _LAST = range(2)

DH, DX = range(2)
"""Products, also the first two sinks."""


@inlined
def _ready(
    at: IntArray, shape: IntArray, k: int, ready: bool
) -> tuple[bool, bool, bool, bool, bool]:
    """Moves of scaler, array, both words and cut of a product, given its sink."""
    cut = at[k, _OUT] == 0 or ready
    slim = cut
    if shape[k, SPLIT]:
        ends = at[k, _PART] == shape[k, SPLIT] - 1 or at[k, _PLACE] == shape[k, BEATS] - 1
        slim = at[k, _SLIM] == 0 or (cut and ends)
    wide = slim
    if shape[k, GATHERED]:
        wide = at[k, _WIDE] == 0 or slim
    array = at[k, _SUM] == 0 or wide
    scaler = array
    if shape[k, SCALER]:
        scaler = at[k, _SCALED] == 0 or array
    return scaler, array, wide, slim, cut


@inlined
def _move(at: IntArray, shape: IntArray, k: int, group: int, ready: bool) -> None:
    """One clock edge of a product that is offered ``group``, or 0; the sink's end comes first."""
    scaler, array, wide, slim, cut = _ready(at, shape, k, ready)
    word = at[k, _WIDE] if shape[k, GATHERED] else at[k, _SUM]
    beat = at[k, _SLIM] if shape[k, SPLIT] else word
    if cut:
        at[k, _OUT] = at[k, _CUTTING] >> (shape[k, CUT] - 2) & 1
        at[k, _CUTTING] = at[k, _CUTTING] << 1 | beat
    if shape[k, SPLIT]:
        if at[k, _SLIM] and cut:
            _split(at, shape, k)
        if slim:
            at[k, _SLIM] = word
    if shape[k, GATHERED] and wide:
        at[k, _WIDE] = 0
        if at[k, _SUM]:
            _gather(at, shape, k)
    if array:
        source = at[k, _SCALED] if shape[k, SCALER] else group
        at[k, _SUM] = at[k, _WAY] >> (shape[k, STAGES] - 1) & 1
        at[k, _WAY] = at[k, _WAY] << 1 | source >> 1
    if shape[k, SCALER] and scaler:
        at[k, _SCALED] = at[k, _EARLY]
        at[k, _EARLY] = group


@inlined
def _split(at: IntArray, shape: IntArray, k: int) -> None:
    """Go on to the next beat of a wide word, or of the next one."""
    ends = at[k, _PLACE] == shape[k, BEATS] - 1
    at[k, _PART] = 0 if ends else after(at[k, _PART], shape[k, SPLIT])
    at[k, _PLACE] = 0 if ends else at[k, _PLACE] + 1


@inlined
def _gather(at: IntArray, shape: IntArray, k: int) -> None:
    """Add sums to the wide word, which may be full then."""
    ends = at[k, _SUM_PLACE] == shape[k, SUMS] - 1
    full = ends or at[k, _SUM_PART] == shape[k, GATHERED] - 1
    at[k, _WIDE] = int(full)
    at[k, _SUM_PART] = 0 if full else at[k, _SUM_PART] + 1
    at[k, _SUM_PLACE] = 0 if ends else at[k, _SUM_PLACE] + 1


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
        Steps of a sequence.
    latency : int
        Cycles from a beat of cells to their gate gradients.
    depth, room : int
        Beats that the queue holds, and groups that a buffer does.
    tiles : int64 array, shape (SINKS,)
    shapes : int64 array, shape (2, 7)
        Shapes of the products dh and dx.
    accepted, outputs, carried : int64 arrays
        Filled with the cycle of each beat of cells, of dx, and of dh before the first step.
    passed : int64 array, shape (SINKS,)
        Filled with the cycle of the last group.
    """
    beats = counts.shape[1]
    count, total = counts.ravel(), counts.size
    at = np.zeros(CONTROL_REGISTERS, np.int64)
    products = np.zeros((2, REGISTERS), np.int64)
    buffers = np.zeros((SINKS, BUFFER_REGISTERS), np.int64)
    lasts = np.zeros((SINKS, room), np.bool_)
    queue = np.zeros((depth, 2), np.int64)
    cycle = 0
    while at[_SENT] < len(outputs) or at[_HANDED] < total or _unread(buffers):
        arrives = at[_PIPELINE] >> (latency - 1) & 1 == 1
        moves = not arrives or at[_LEVEL] < 2 * beats
        back = products[DH, _OUT] == 1
        final = at[_HANDED] // beats % steps == steps - 1
        accept, hands_on = _meet(at, beats, steps, moves and at[_CELLS] < total, back, final)
        if back and hands_on:
            if final:
                carried[at[_HANDED] // beats // steps * beats + at[_HANDED] % beats] = cycle
            at[_HANDED] += 1
        if products[DX, _OUT]:
            outputs[at[_SENT]] = cycle
            at[_SENT] += 1
        if accept:
            accepted[at[_CELLS]] = cycle
            at[_CELLS] += 1
        everywhere = _everywhere(buffers, room)
        for k in range(SINKS):
            offered = _offered(buffers, lasts, k)
            ready = True  # so are the sums
            if k < len(products):
                sink = hands_on if k == DH else True
                ready = _ready(products, shapes, k, sink)[0]
                _move(products, shapes, k, offered, sink)
            _store(buffers, lasts, k, at[_GROUP], everywhere)
            if offered and ready:
                passed[k] = cycle
                _drop(buffers, k, offered, room, tiles[k])

        # Each looks at the registers of the one before it.
        space = at[_PUSHED] - at[_POPPED] < depth
        if at[_GROUP] == 0 or everywhere:
            _pick(at, queue)
        take = _mark(at, queue, count, beats, space)
        _order(at, beats, take, arrives and moves)
        if moves:
            at[_PIPELINE] = at[_PIPELINE] << 1 | int(accept)
        cycle += 1


@inlined
def _meet(
    at: IntArray, beats: int, steps: int, advance: bool, back: bool, final: bool
) -> tuple[bool, bool]:
    """Ready for a beat of cells, and for dh: that of these cells, or that before all steps."""
    first = at[_CELLS] // beats % steps == 0
    return advance and (first or (back and not final)), final or (advance and not first)


@inlined
def _note(
    at: IntArray,
    beats: int,
    steps: int,
    products: IntArray,
    accept: bool,
    hands_on: bool,
    cycle: int,
    accepted: IntArray,
    outputs: IntArray,
    carried: IntArray,
) -> None:
    """Write down the cycle of the beats that pass."""
    if products[DH, _OUT] and hands_on:
        step, beat = at[_HANDED] // beats, at[_HANDED] % beats
        if step % steps == steps - 1:
            carried[step // steps * beats + beat] = cycle
        at[_HANDED] += 1
    if products[DX, _OUT]:
        outputs[at[_SENT]] = cycle
        at[_SENT] += 1
    if accept:
        accepted[at[_CELLS]] = cycle
        at[_CELLS] += 1


@inlined
def _everywhere(buffers: IntArray, room: int) -> bool:
    """True if each buffer has the group that is offered, or has room for it."""
    everywhere = True
    for k in range(SINKS):
        everywhere &= buffers[k, _SERVED] != 0 or buffers[k, _STORED] < room
    return everywhere


@inlined
def _unread(buffers: IntArray) -> bool:
    """True if a buffer has groups to give."""
    unread = False
    for k in range(SINKS):
        unread |= buffers[k, _UNREAD] > 0
    return unread


@inlined
def _offered(buffers: IntArray, lasts: BoolArray, k: int) -> int:
    """Group that a buffer gives, or 0."""
    return 1 + 2 * int(lasts[k, buffers[k, _READ]]) if buffers[k, _UNREAD] else 0


@inlined
def _store(buffers: IntArray, lasts: BoolArray, k: int, group: int, everywhere: bool) -> None:
    """Take the group that is offered to all buffers, once."""
    room = lasts.shape[1]
    new = group > 0 and not buffers[k, _SERVED] and buffers[k, _STORED] < room
    buffers[k, _SERVED] = group > 0 and not everywhere and (buffers[k, _SERVED] or new)
    if new:
        lasts[k, buffers[k, _WRITE]] = group == 3
        buffers[k, _WRITE] = after(buffers[k, _WRITE], room)
        buffers[k, _STORED] += 1
        buffers[k, _UNREAD] += 1


@inlined
def _drop(buffers: IntArray, k: int, group: int, room: int, tiles: int) -> None:
    """Go on after a group was given; the last tile frees it."""
    frees = buffers[k, _TILE] == tiles - 1
    buffers[k, _READ] = after(buffers[k, _READ], room)
    buffers[k, _STORED] -= frees
    buffers[k, _UNREAD] -= 1
    if group == 3:
        buffers[k, _TILE] = after(buffers[k, _TILE], tiles)
        if frees:
            buffers[k, _START] = buffers[k, _READ]
        else:
            buffers[k, _READ], buffers[k, _UNREAD] = buffers[k, _START], buffers[k, _STORED]


@inlined
def _pick(at: IntArray, queue: IntArray) -> None:
    """Offer a group of the first entry of the queue."""
    at[_GROUP] = 0
    if at[_PUSHED] > at[_POPPED]:
        entry = at[_POPPED] % len(queue)
        done = queue[entry, _PAIRS] - at[_GIVEN] <= 1
        at[_GROUP] = 3 if done and queue[entry, _LAST] else 1
        at[_GIVEN] = 0 if done else at[_GIVEN] + 1
        at[_POPPED] += done


@inlined
def _mark(at: IntArray, queue: IntArray, count: IntArray, beats: int, space: bool) -> bool:
    """Hold a beat until it is known to be its vector's last entry or not; returns if one is taken.

    Beats without pairs are no entries, but where a vector has no others.
    """
    shown, full, known = at[_SHOWN] != 0, at[_FULL] != 0, at[_KNOWN] != 0
    ends = at[_MARKED] % beats == beats - 1
    some = shown and count[at[_MARKED]] > 0
    take = shown and (space or not full)
    load = take and (some or (ends and (known or not full)))
    if full and space and (known or (shown and (ends or some))):
        entry = at[_PUSHED] % len(queue)
        queue[entry, _PAIRS] = at[_HELD]
        queue[entry, _LAST] = known or (shown and ends and not some)
        at[_PUSHED] += 1
        at[_FULL] = 0
    if load:
        at[_HELD], at[_KNOWN], at[_FULL] = count[at[_MARKED]], ends, 1
    at[_MARKED] += take
    return take


@inlined
def _order(at: IntArray, beats: int, take: bool, written: bool) -> None:
    """Show the next beat of the block order once its cells are there; a whole vector frees room."""
    finished = 0
    if take or not at[_SHOWN]:
        needed = GATES * (at[_ORDERED] % beats % (beats // GATES)) + GATES - 1
        at[_SHOWN] = at[_LEVEL] > needed
        at[_ORDERED] += at[_SHOWN]
        finished = beats if at[_SHOWN] and at[_ORDERED] % beats == 0 else 0
    at[_LEVEL] += written - finished
