"""Blocks of the hardware at a clock edge, without data: one function a kind.

A block is a row of sizes and a row of state, whose columns have names here. Streams have numbers;
``valid`` and ``ready`` are theirs in this cycle, and ``later`` says which words the registers of
blocks offer in the next one. Each function moves all blocks of its kind: numba counts references
with every call, which would take longer than what a block does.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fxsim.kernels.jit import inlined, jit
from fxsim.network import IntArray

BoolArray = npt.NDArray[np.bool_]

PIPE, WIDEN, NARROW, BUFFER, WINDOW, JOIN, CONCAT, QUEUE, FORK, FEEDBACK, SKID = range(11)
"""Kinds of blocks."""
KINDS = 11

# Sizes of every block: the first streams that it takes and gives.
SOURCE, SINK = range(2)

# State of every block with a register at its output: whether this holds a word.
VALID = 0

# Pipe, Join: beats that make one word, stages, and cycles between words that a join takes; beats
# taken, words inside (a bit a stage, the first one lowest), cycles since one was taken.
PIPE_BEATS, LATENCY, SPACING = range(2, 5)
BEAT, STAGES, PHASE = range(1, 4)

# Widen, Narrow: slim beats of a wide word and of a vector; which of them comes next.
PARTS, SLIM_BEATS = range(2, 4)
PART, SLIM_BEAT = range(1, 3)

# Buffer: beats of a vector, and how often each is given out; beats stored, beat and tile to read.
BUFFER_BEATS, TILES = range(2, 4)
LEVEL, READ_BEAT, TILE = range(1, 4)

# Window: beats at a place, columns and rows of windows, stride and width of the kernel across,
# beats of a pixel, width of the image, padding at its left, rows of pixels that fit; beat, column
# and row of the window, its left edge; beat of the pixel that comes, its column (the padding
# counts), whole rows held.
PLACE_BEATS, COLUMNS, ROWS, STRIDE, KERNEL, PIXEL_BEATS, WIDTH, PADDING, SLOTS = range(2, 11)
PLACE_BEAT, COLUMN, ROW, LEFT, PIXEL_BEAT, NEXT_COLUMN, HELD = range(1, 8)

# Concat: streams that it takes; whose turn it is, and words taken in it.
STREAMS = 2
TURN, TAKEN = range(1, 3)

# Queue: words that it holds, the words that it keeps to while no queue of its group is shorter, and
# that group, 0 if there is none; words stored, but for that in the register.
DEPTH, ROOM, GROUP = range(2, 5)
STORED = 1

# Skid: whether it keeps a word.
KEEPS = 1

# Feedback: beats of a vector; beats of zeros given.
BACK_BEATS = 2
ZEROS = 1

SIZES, STATES = 11, 8
"""Columns, as many as a window has."""


@inlined
def after(place: int, count: int) -> int:
    """The next of ``count`` places; the first one after the last."""
    return 0 if place == count - 1 else place + 1


@jit
def admit_buffers(these: IntArray, size: IntArray, at: IntArray, ready: BoolArray) -> None:
    """Buffers take a word unless they hold two vectors."""
    for k in these:
        ready[size[k, SOURCE]] = at[k, LEVEL] != 2 * size[k, BUFFER_BEATS]


@jit
def admit_windows(these: IntArray, size: IntArray, at: IntArray, ready: BoolArray) -> None:
    """Line buffers take a word unless all their rows are full."""
    for k in these:
        ready[size[k, SOURCE]] = at[k, HELD] != size[k, SLOTS]


@jit
def admit_queues(
    these: IntArray, size: IntArray, at: IntArray, full: BoolArray, ready: BoolArray
) -> None:
    """Queues take a word unless they are full, or each one of their group has its ``room``.

    So an endless queue holds what waits for the others of its group, and not what all of them wait
    with for the blocks after them. ``full`` says so of each group; never of group 0.
    """
    full[:] = True
    full[0] = False
    for k in these:
        full[size[k, GROUP]] &= at[k, STORED] >= size[k, ROOM]
    for k in these:
        ready[size[k, SOURCE]] = at[k, STORED] != size[k, DEPTH] - 1 and not full[size[k, GROUP]]


@jit
def admit_skids(these: IntArray, size: IntArray, at: IntArray, ready: BoolArray) -> None:
    """Skid buffers take a word unless they keep one."""
    for k in these:
        ready[size[k, SOURCE]] = at[k, KEEPS] == 0


@jit
def pipes(
    these: IntArray,
    size: IntArray,
    at: IntArray,
    valid: BoolArray,
    later: BoolArray,
    ready: BoolArray,
) -> None:
    """Pipelines that stall as a whole."""
    for k in these:
        source, sink = size[k, SOURCE], size[k, SINK]
        if ready[source]:
            word = False
            if valid[source]:
                word = at[k, BEAT] == size[k, PIPE_BEATS] - 1
                at[k, BEAT] = after(at[k, BEAT], size[k, PIPE_BEATS])
            stages = at[k, STAGES] << 1 | word
            later[sink] = stages >> (size[k, LATENCY] - 1) & 1
            at[k, STAGES] = stages & ((1 << size[k, LATENCY]) - 1)


@jit
def widens(
    these: IntArray,
    size: IntArray,
    at: IntArray,
    valid: BoolArray,
    later: BoolArray,
    ready: BoolArray,
) -> None:
    """Slim beats to wide words; the last one of a vector may lack some."""
    for k in these:
        source, sink = size[k, SOURCE], size[k, SINK]
        if ready[source]:
            word = False
            if valid[source]:
                beat, beats = at[k, SLIM_BEAT], size[k, SLIM_BEATS]
                word = beat == beats - 1 or at[k, PART] == size[k, PARTS] - 1
                at[k, PART] = 0 if word else at[k, PART] + 1
                at[k, SLIM_BEAT] = after(beat, beats)
            later[sink] = word
            at[k, VALID] = word


@jit
def narrows(
    these: IntArray,
    size: IntArray,
    at: IntArray,
    valid: BoolArray,
    later: BoolArray,
    ready: BoolArray,
) -> None:
    """Wide words to slim beats."""
    for k in these:
        source, sink = size[k, SOURCE], size[k, SINK]
        if valid[sink] and ready[sink]:
            last = ends_word(at[k, PART], size[k, PARTS], at[k, SLIM_BEAT], size[k, SLIM_BEATS])
            at[k, PART] = 0 if last else at[k, PART] + 1
            at[k, SLIM_BEAT] = after(at[k, SLIM_BEAT], size[k, SLIM_BEATS])
        if ready[source]:
            later[sink] = valid[source]
            at[k, VALID] = valid[source]


@inlined
def ends_word(part: int, parts: int, beat: int, beats: int) -> bool:
    """True if a slim beat is the last one of a wide word."""
    return part == parts - 1 or beat == beats - 1


@jit
def buffers(
    these: IntArray,
    size: IntArray,
    at: IntArray,
    valid: BoolArray,
    later: BoolArray,
    ready: BoolArray,
) -> None:
    """Two vectors, each given out once for every tile; the last tile frees its beats."""
    for k in these:
        source, sink = size[k, SOURCE], size[k, SINK]
        accept = valid[source] and ready[source]
        if not valid[sink] or ready[sink]:
            beat, tile, tiles = at[k, READ_BEAT], at[k, TILE], size[k, TILES]
            present = tile > 0 or at[k, LEVEL] > (beat if tiles > 1 else 0)
            later[sink] = present
            at[k, VALID] = present
            if present:
                at[k, LEVEL] -= tile == tiles - 1
                at[k, READ_BEAT] = after(beat, size[k, BUFFER_BEATS])
                if at[k, READ_BEAT] == 0:
                    at[k, TILE] = after(tile, tiles)
        at[k, LEVEL] += accept


@jit
def windows(
    these: IntArray,
    size: IntArray,
    at: IntArray,
    needs: IntArray,
    frees: IntArray,
    valid: BoolArray,
    later: BoolArray,
    ready: BoolArray,
) -> None:
    """Pixels to windows; ``needs`` and ``frees`` are the row plan of each block."""
    for k in these:
        source, sink = size[k, SOURCE], size[k, SINK]
        held, next_column = at[k, HELD], at[k, NEXT_COLUMN]
        if valid[source] and ready[source]:
            at[k, PIXEL_BEAT] = after(at[k, PIXEL_BEAT], size[k, PIXEL_BEATS])
            if at[k, PIXEL_BEAT] == 0:
                ends = next_column == size[k, WIDTH] + size[k, PADDING] - 1
                at[k, NEXT_COLUMN] = size[k, PADDING] if ends else next_column + 1
                at[k, HELD] += ends
        if valid[sink] and not ready[sink]:
            continue
        row, needed = at[k, ROW], needs[k, at[k, ROW]]
        ends = at[k, COLUMN] == size[k, COLUMNS] - 1
        arrived = not ends and next_column >= at[k, LEFT] + size[k, KERNEL]
        present = held >= needed or (held + 1 == needed and arrived)
        later[sink] = present
        at[k, VALID] = present
        if present:
            at[k, PLACE_BEAT] = after(at[k, PLACE_BEAT], size[k, PLACE_BEATS])
            if at[k, PLACE_BEAT] == 0:
                at[k, COLUMN] = after(at[k, COLUMN], size[k, COLUMNS])
                at[k, LEFT] = 0 if ends else at[k, LEFT] + size[k, STRIDE]
                if ends:
                    at[k, HELD] -= frees[k, row]
                    at[k, ROW] = after(row, size[k, ROWS])


@jit
def joins(
    these: IntArray,
    size: IntArray,
    at: IntArray,
    valid: BoolArray,
    later: BoolArray,
    ready: BoolArray,
) -> None:
    """Pipelines that take a word of each of their streams together."""
    for k in these:
        source, sink = size[k, SOURCE], size[k, SINK]
        if not valid[sink] or ready[sink]:
            word = valid[source] and ready[source]
            spacing, latency = size[k, SPACING], size[k, LATENCY]
            if spacing > 1:
                idle = empty(at[k, STAGES], latency)
                following = 0 if idle else after(at[k, PHASE], spacing)
                at[k, PHASE] = 1 if word else following
            stages = at[k, STAGES] << 1 | word
            later[sink] = stages >> (latency - 1) & 1
            at[k, STAGES] = stages & ((1 << latency) - 1)


@jit
def concats(
    these: IntArray,
    size: IntArray,
    at: IntArray,
    inputs: IntArray,
    counts: IntArray,
    valid: BoolArray,
    later: BoolArray,
    ready: BoolArray,
) -> None:
    """Words of one stream after the other; ``counts`` are those of each turn of each block."""
    for k in these:
        sink, turn = size[k, SINK], at[k, TURN]
        if not valid[sink] or ready[sink]:
            word = valid[inputs[k, turn]]
            later[sink] = word
            at[k, VALID] = word
            if word:
                at[k, TAKEN] = after(at[k, TAKEN], counts[k, turn])
                if at[k, TAKEN] == 0:
                    at[k, TURN] = after(turn, size[k, STREAMS])


@inlined
def empty(stages: int, latency: int) -> bool:
    """True if there is no word in a pipeline, but for that in its last register."""
    return stages & ((1 << (latency - 1)) - 1) == 0


@jit
def queues(
    these: IntArray,
    size: IntArray,
    at: IntArray,
    valid: BoolArray,
    later: BoolArray,
    ready: BoolArray,
    held: IntArray,
) -> None:
    """Queues whose words leave by a register; ``held`` is the least depth that is enough."""
    for k in these:
        source, sink = size[k, SOURCE], size[k, SINK]
        accept = valid[source] and ready[source]
        if accept:  # what leaves in this cycle makes room in the next one only
            held[k] = max(held[k], at[k, STORED] + 2)
        if not valid[sink] or ready[sink]:
            word = at[k, STORED] > 0
            at[k, STORED] -= word
            later[sink] = word
            at[k, VALID] = word
        at[k, STORED] += accept


@jit
def skids(
    these: IntArray, size: IntArray, at: IntArray, valid: BoolArray, ready: BoolArray
) -> None:
    """Words that pass in the cycle in which they come, or are kept until they can."""
    for k in these:
        sink = size[k, SINK]
        at[k, KEEPS] = valid[sink] and not ready[sink]


@jit
def forks(
    these: IntArray,
    size: IntArray,
    at: IntArray,
    outputs: IntArray,
    valid: BoolArray,
    ready: BoolArray,
) -> None:
    """State: for each output, whether it has taken the word that the others still have to."""
    for k in these:
        source = size[k, SOURCE]
        if valid[source]:
            for place in range(outputs.shape[1]):
                if outputs[k, place] >= 0:
                    served = at[k, place] != 0 or ready[outputs[k, place]]
                    at[k, place] = served and not ready[source]


@jit
def feedbacks(
    these: IntArray, size: IntArray, at: IntArray, valid: BoolArray, ready: BoolArray
) -> None:
    """A vector of zeros after reset, then what comes back."""
    for k in these:
        sink = size[k, SINK]
        if valid[sink] and ready[sink] and at[k, ZEROS] < size[k, BACK_BEATS]:
            at[k, ZEROS] += 1
