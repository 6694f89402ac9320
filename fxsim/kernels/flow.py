"""Valid and ready of a chain of hardware blocks, cycle by cycle and without data.

A block is a row of parameters and a row of state. The names of the columns stand in `fxsim.flow`.
"""

from __future__ import annotations

import numpy as np

from fxsim.kernels.jit import jit
from fxsim.network import IntArray

WIDEN, NARROW, BUFFER, WINDOW, PIPE = range(5)
PARAMETERS, STATES = 11, 12


@jit
def run(blocks: IntArray, needs: IntArray, frees: IntArray, words: int, out: int) -> IntArray:
    """Cycles in which each of ``out`` output words is taken.

    Parameters
    ----------
    blocks : int64 array, shape (n, 1 + PARAMETERS)
        Kind and parameters of each block, in the order of the data.
    needs, frees : int64 array, shape (n, rows of windows)
        `fxsim.windows.Windows.row_plan` of each line buffer.
    words : int
        Input words, one a cycle where the first block takes them; the first is taken in cycle 0.
    """
    count = len(blocks)
    state = np.zeros((count, STATES), np.int64)
    valid = np.zeros(count + 1, np.bool_)  # of the stream into each block, and out of the last
    ready = np.zeros(count + 1, np.bool_)
    ready[count] = True
    for k in range(count):
        if blocks[k, 0] == WINDOW:
            state[k, 8] = blocks[k, 8]
            state[k, 10], state[k, 11] = needs[k, 0], frees[k, 0]
    taken = np.empty(out, np.int64)
    sent = cycle = 0
    while sent < out:
        valid[0] = words > 0
        for k in range(count):
            valid[k + 1] = state[k, 0] != 0
            if blocks[k, 0] == PIPE:
                valid[k + 1] = state[k, 0] >> (blocks[k, 2] - 1) & 1
        for k in range(count - 1, -1, -1):
            free = not valid[k + 1] or ready[k + 1]
            kind = blocks[k, 0]
            if kind == NARROW:
                last = state[k, 1] == blocks[k, 1] - 1 or state[k, 2] == blocks[k, 2] - 1
                ready[k] = not valid[k + 1] or (ready[k + 1] and last)
            elif kind == BUFFER:
                ready[k] = state[k, 1] != 2 * blocks[k, 1]
            elif kind == WINDOW:
                ready[k] = state[k, 6] != blocks[k, 9]
            else:
                ready[k] = free
        if valid[count]:
            taken[sent] = cycle
            sent += 1
        if valid[0] and ready[0]:
            words -= 1
        for k in range(count):
            _step(
                blocks[k],
                state[k],
                needs[k],
                frees[k],
                valid[k] and ready[k],
                ready[k + 1],
                valid[k + 1],
            )
        cycle += 1
    return taken


@jit
def _step(
    block: IntArray,
    state: IntArray,
    needs: IntArray,
    frees: IntArray,
    accept: bool,
    ready: bool,
    valid: bool,
) -> None:
    """One clock edge: ``accept`` is a transfer in, ``valid`` and ``ready`` are those of the output.

    Widen, Narrow: parts of a wide word, slim beats of a vector. Buffer: beats, tiles. Pipe: beats
    that make one output, latency. Window: see below.
    """
    kind, advance = block[0], not valid or ready
    if kind == WIDEN:
        if advance:
            last = state[1] == block[1] - 1 or state[2] == block[2] - 1
            state[0] = accept and last
            if accept:
                state[1] = 0 if last else state[1] + 1
                state[2] = 0 if state[2] == block[2] - 1 else state[2] + 1
    elif kind == NARROW:
        if valid and ready:
            last = state[1] == block[1] - 1 or state[2] == block[2] - 1
            state[1] = 0 if last else state[1] + 1
            state[2] = 0 if state[2] == block[2] - 1 else state[2] + 1
            if last:
                state[0] = 0
        if accept:
            state[0] = 1
    elif kind == PIPE:
        if advance:
            last = state[1] == block[1] - 1
            if accept:
                state[1] = 0 if last else state[1] + 1
            state[0] = (state[0] << 1 | (accept and last)) & ((1 << block[2]) - 1)
    elif kind == BUFFER:
        # level, beat and tile of the read side
        arrived = state[1] > state[2] if block[2] > 1 else state[1] > 0
        present = state[3] > 0 or arrived
        if advance:
            state[0] = present
            if present:
                if state[3] == block[2] - 1:
                    state[1] -= 1
                if state[2] == block[1] - 1:
                    state[2] = 0
                    state[3] = 0 if state[3] == block[2] - 1 else state[3] + 1
                else:
                    state[2] += 1
        state[1] += accept
    else:
        _step_window(block, state, needs, frees, accept, advance)


@jit
def _step_window(
    block: IntArray,
    state: IntArray,
    needs: IntArray,
    frees: IntArray,
    accept: bool,
    advance: bool,
) -> None:
    """Parameters: beats at a place, columns and rows of windows, stride, kernel width, words of a
    pixel, width of the image, padding, rows held.

    State: output valid, beat, column and row of the window, left edge, word, rows held, (unused),
    column that is written next, (unused), rows needed, rows freed.
    """
    ends_row = state[2] == block[2] - 1
    arrived = state[8] >= state[4] + block[5] and not ends_row
    present = state[6] >= state[10] or (state[6] + 1 == state[10] and arrived)
    held = state[6]
    if advance:
        state[0] = present
        if present:
            state[1] += 1
            if state[1] == block[1]:
                state[1] = 0
                state[2] += 1
                state[4] += block[4]
                if ends_row:
                    state[2] = state[4] = 0
                    held -= state[11]
                    state[3] = 0 if state[3] == block[3] - 1 else state[3] + 1
                    state[10], state[11] = needs[state[3]], frees[state[3]]
    if accept:
        state[5] += 1
        if state[5] == block[6]:
            state[5] = 0
            state[8] += 1
            if state[8] == block[7] + block[8]:
                state[8] = block[8]
                held += 1
    state[6] = held
