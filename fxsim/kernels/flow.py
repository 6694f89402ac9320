"""Valid and ready of hardware blocks that streams join, cycle by cycle and without data.

A block is a row of parameters and a row of state. The names of the columns stand in `fxsim.flow`.
"""

from __future__ import annotations

import numpy as np

from fxsim.kernels.jit import jit
from fxsim.network import IntArray

WIDEN, NARROW, BUFFER, WINDOW, PIPE, FORK, JOIN, QUEUE = range(8)
PARAMETERS, STATES = 11, 12

_PATIENCE = 200
"""Cycles without a transfer anywhere, more than any pipeline has stages: nothing will ever move."""


@jit
def run(
    blocks: IntArray,
    inputs: IntArray,
    outputs: IntArray,
    needs: IntArray,
    frees: IntArray,
    words: int,
    out: int,
) -> tuple[IntArray, IntArray]:
    """Cycles in which each of ``out`` output words is taken, and the state of each block at last.

    The cycle is -1 for words that never come, because blocks wait for one another.

    Parameters
    ----------
    blocks : int64 array, shape (n, 1 + PARAMETERS)
        Kind and parameters of each block, in the order of the data.
    inputs, outputs : int64 array, shape (n, most streams of a block)
        Streams by number, -1 where there is none. The whole takes stream 0 and yields the last.
    needs, frees : int64 array, shape (n, rows of windows)
        `fxsim.windows.Windows.row_plan` of each line buffer.
    words : int
        Input words, one a cycle where the first block takes them; the first is taken in cycle 0.
    """
    count, last = len(blocks), outputs.max()
    state = np.zeros((count, STATES), np.int64)
    valid, ready = np.zeros(last + 1, np.bool_), np.zeros(last + 1, np.bool_)
    ready[last] = True
    for k in range(count):
        if blocks[k, 0] == WINDOW:
            state[k, 8] = blocks[k, 8]
            state[k, 10], state[k, 11] = needs[k, 0], frees[k, 0]
    taken = np.full(out, -1, np.int64)
    sent = cycle = quiet = 0
    while sent < out and quiet < _PATIENCE:
        valid[0] = words > 0
        for k in range(count):
            _offer(blocks[k], state[k], inputs[k], outputs[k], valid)
        for k in range(count - 1, -1, -1):
            _admit(blocks[k], state[k], inputs[k], outputs[k], valid, ready)
        if valid[last]:
            taken[sent] = cycle
            sent += 1
        if valid[0] and ready[0]:
            words -= 1
        for k in range(count):
            if blocks[k, 0] == FORK:
                _step_fork(state[k], inputs[k, 0], outputs[k], valid, ready)
                continue
            source, sink = inputs[k, 0], outputs[k, 0]
            accept = valid[source] and ready[source]
            _step(blocks[k], state[k], needs[k], frees[k], accept, ready[sink], valid[sink])
        quiet = 0 if (valid & ready).any() else quiet + 1
        cycle += 1
    return taken, state


@jit
def _offer(
    block: IntArray, state: IntArray, inputs: IntArray, outputs: IntArray, valid: IntArray
) -> None:
    """Set valid of what a block yields."""
    if block[0] == FORK:
        for k in range(len(outputs)):
            if outputs[k] >= 0:
                valid[outputs[k]] = valid[inputs[0]] and state[k] == 0
    elif block[0] in (PIPE, JOIN):
        valid[outputs[0]] = state[0] >> (block[2] - 1) & 1
    else:
        valid[outputs[0]] = state[0] != 0


@jit
def _admit(
    block: IntArray,
    state: IntArray,
    inputs: IntArray,
    outputs: IntArray,
    valid: IntArray,
    ready: IntArray,
) -> None:
    """Set ready of what a block takes."""
    kind, source, sink = block[0], inputs[0], outputs[0]
    free = not valid[sink] or ready[sink]
    if kind == FORK:
        done = True
        for k in range(len(outputs)):
            if outputs[k] >= 0:
                done = done and (state[k] != 0 or ready[outputs[k]])
        ready[source] = done
    elif kind == JOIN:
        ready[source] = free and valid[inputs[1]]
        ready[inputs[1]] = free and valid[source]
    elif kind == NARROW:
        last = state[1] == block[1] - 1 or state[2] == block[2] - 1
        ready[source] = not valid[sink] or (ready[sink] and last)
    elif kind == BUFFER:
        ready[source] = state[1] != 2 * block[1]
    elif kind == QUEUE:
        ready[source] = state[1] != block[1] - 1
    elif kind == WINDOW:
        ready[source] = state[6] != block[9]
    else:
        ready[source] = free


@jit
def _step_fork(
    state: IntArray, source: int, outputs: IntArray, valid: IntArray, ready: IntArray
) -> None:
    """State: for each output, whether it has taken the word that the others still have to."""
    if valid[source]:
        for k in range(len(outputs)):
            if outputs[k] >= 0:
                state[k] = (state[k] != 0 or ready[outputs[k]]) and not ready[source]


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

    Widen, Narrow: parts of a wide word, slim beats of a vector. Buffer: beats, tiles. Pipe, Join:
    beats that make one output, latency. Queue: words that it holds, of which one is in the register
    that it gives out; state 2 is the most that it held. Window: see below.
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
    elif kind in (PIPE, JOIN):
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
    elif kind == QUEUE:
        if advance:
            state[0] = state[1] > 0
            state[1] -= state[0]
        state[1] += accept
        state[2] = max(state[2], state[1] + 1)
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
