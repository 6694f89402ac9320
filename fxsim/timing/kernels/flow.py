"""Valid and ready of hardware blocks that streams join, cycle by cycle and without data.

A block is a row of parameters and a row of state. The names of the columns stand in
`fxsim.timing.machine`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fxsim.kernels.jit import jit
from fxsim.network import IntArray

BoolArray = npt.NDArray[np.bool_]

WIDEN, NARROW, BUFFER, WINDOW, PIPE, FORK, JOIN, QUEUE, CONCAT = range(9)
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
    latest: IntArray,
) -> tuple[IntArray, IntArray]:
    """Cycles in which each output word is taken, and the state of each block at last.

    The cycle is -1 for words that never come, because blocks wait for one another, and for all from
    the first one on that is late.

    Parameters
    ----------
    blocks : int64 array, shape (n, 1 + PARAMETERS)
        Kind and parameters of each block, in the order of the data.
    inputs, outputs : int64 array, shape (n, most streams of a block)
        Streams by number, -1 where there is none. The whole takes stream 0 and yields the last.
    needs, frees : int64 array, shape (n, rows of windows)
        `fxsim.arithmetic.windows.Windows.row_plan` of each line buffer.
    words : int
        Input words, one a cycle where the first block takes them; the first is taken in cycle 0.
    latest : int64 array, shape (words that come out)
        Cycle in which each has to be taken.
    """
    count, last = len(blocks), outputs.max()
    state = np.zeros((count, STATES), np.int64)
    valid, ready = np.zeros(last + 1, np.bool_), np.zeros(last + 1, np.bool_)
    ready[last] = True
    for k in range(count):
        if blocks[k, 0] == WINDOW:
            state[k, 8] = blocks[k, 8]
            state[k, 10], state[k, 11] = needs[k, 0], frees[k, 0]
    out = len(latest)
    taken = np.full(out, -1, np.int64)
    sent = cycle = quiet = 0
    while sent < out and quiet < _PATIENCE and cycle <= latest[sent]:
        valid[0] = words > 0
        for k in range(count):
            _offer(k, blocks, state, inputs, outputs, valid)
        for k in range(count - 1, -1, -1):
            _admit(k, blocks, state, inputs, outputs, valid, ready)
        if valid[last]:
            taken[sent] = cycle
            sent += 1
        if valid[0] and ready[0]:
            words -= 1
        for k in range(count):
            if blocks[k, 0] == FORK:
                _step_fork(k, state, inputs, outputs, valid, ready)
            else:
                _step(k, blocks, state, inputs, outputs, needs, frees, valid, ready)
        quiet += 1
        for stream in range(last + 1):
            if valid[stream] and ready[stream]:
                quiet = 0
        cycle += 1
    return taken, state


@jit
def _offer(
    k: int,
    blocks: IntArray,
    state: IntArray,
    inputs: IntArray,
    outputs: IntArray,
    valid: BoolArray,
) -> None:
    """Set valid of what block ``k`` yields."""
    kind = blocks[k, 0]
    if kind == FORK:
        for sink in range(outputs.shape[1]):
            if outputs[k, sink] >= 0:
                valid[outputs[k, sink]] = valid[inputs[k, 0]] and state[k, sink] == 0
    elif kind in (PIPE, JOIN):
        valid[outputs[k, 0]] = state[k, 0] >> (blocks[k, 2] - 1) & 1
    else:
        valid[outputs[k, 0]] = state[k, 0] != 0


@jit
def _admit(
    k: int,
    blocks: IntArray,
    state: IntArray,
    inputs: IntArray,
    outputs: IntArray,
    valid: BoolArray,
    ready: BoolArray,
) -> None:
    """Set ready of what block ``k`` takes."""
    kind, source, sink = blocks[k, 0], inputs[k, 0], outputs[k, 0]
    free = not valid[sink] or ready[sink]
    if kind == FORK:
        done = True
        for other in range(outputs.shape[1]):
            if outputs[k, other] >= 0:
                done = done and (state[k, other] != 0 or ready[outputs[k, other]])
        ready[source] = done
    elif kind == JOIN:
        ready[source] = free and valid[inputs[k, 1]]
        ready[inputs[k, 1]] = free and valid[source]
    elif kind == CONCAT:
        for place in range(inputs.shape[1]):
            if inputs[k, place] >= 0:
                ready[inputs[k, place]] = free and place == state[k, 1]
    elif kind == NARROW:
        last = state[k, 1] == blocks[k, 1] - 1 or state[k, 2] == blocks[k, 2] - 1
        ready[source] = not valid[sink] or (ready[sink] and last)
    elif kind == BUFFER:
        ready[source] = state[k, 1] != 2 * blocks[k, 1]
    elif kind == QUEUE:
        ready[source] = state[k, 1] != blocks[k, 1] - 1
    elif kind == WINDOW:
        ready[source] = state[k, 6] != blocks[k, 9]
    else:
        ready[source] = free


@jit
def _step_fork(
    k: int,
    state: IntArray,
    inputs: IntArray,
    outputs: IntArray,
    valid: BoolArray,
    ready: BoolArray,
) -> None:
    """State: for each output, whether it has taken the word that the others still have to."""
    source = inputs[k, 0]
    if valid[source]:
        for sink in range(outputs.shape[1]):
            if outputs[k, sink] >= 0:
                served = state[k, sink] != 0 or ready[outputs[k, sink]]
                state[k, sink] = served and not ready[source]


@jit
def _step(
    k: int,
    blocks: IntArray,
    state: IntArray,
    inputs: IntArray,
    outputs: IntArray,
    needs: IntArray,
    frees: IntArray,
    valid: BoolArray,
    ready: BoolArray,
) -> None:
    """One clock edge of block ``k``.

    Widen, Narrow: parts of a wide word, slim beats of a vector. Buffer: beats, tiles. Pipe, Join:
    beats that make one output, latency. Queue: words that it holds, of which one is in the register
    that it gives out; state 2 is the least depth that would have refused no word. Window: see
    below.
    """
    source, sink = inputs[k, 0], outputs[k, 0]
    accept = valid[source] and ready[source]
    kind, leaves = blocks[k, 0], valid[sink] and ready[sink]
    advance = not valid[sink] or ready[sink]
    if kind == WIDEN:
        if advance:
            last = state[k, 1] == blocks[k, 1] - 1 or state[k, 2] == blocks[k, 2] - 1
            state[k, 0] = accept and last
            if accept:
                state[k, 1] = 0 if last else state[k, 1] + 1
                state[k, 2] = 0 if state[k, 2] == blocks[k, 2] - 1 else state[k, 2] + 1
    elif kind == NARROW:
        if leaves:
            last = state[k, 1] == blocks[k, 1] - 1 or state[k, 2] == blocks[k, 2] - 1
            state[k, 1] = 0 if last else state[k, 1] + 1
            state[k, 2] = 0 if state[k, 2] == blocks[k, 2] - 1 else state[k, 2] + 1
            if last:
                state[k, 0] = 0
        if accept:
            state[k, 0] = 1
    elif kind in (PIPE, JOIN):
        if advance:
            last = state[k, 1] == blocks[k, 1] - 1
            if accept:
                state[k, 1] = 0 if last else state[k, 1] + 1
            state[k, 0] = (state[k, 0] << 1 | (accept and last)) & ((1 << blocks[k, 2]) - 1)
    elif kind == BUFFER:
        # level, beat and tile of the read side
        arrived = state[k, 1] > state[k, 2] if blocks[k, 2] > 1 else state[k, 1] > 0
        present = state[k, 3] > 0 or arrived
        if advance:
            state[k, 0] = present
            if present:
                if state[k, 3] == blocks[k, 2] - 1:
                    state[k, 1] -= 1
                if state[k, 2] == blocks[k, 1] - 1:
                    state[k, 2] = 0
                    state[k, 3] = 0 if state[k, 3] == blocks[k, 2] - 1 else state[k, 3] + 1
                else:
                    state[k, 2] += 1
        state[k, 1] += accept
    elif kind == CONCAT:
        if advance:
            state[k, 0] = valid[inputs[k, state[k, 1]]]
            if state[k, 0]:
                state[k, 2] += 1
                if state[k, 2] == needs[k, state[k, 1]]:
                    state[k, 2] = 0
                    state[k, 1] += 1
                    if state[k, 1] == blocks[k, 1]:
                        state[k, 1] = 0
    elif kind == QUEUE:
        if accept:  # what leaves in this cycle makes room in the next one only
            state[k, 2] = max(state[k, 2], state[k, 1] + 2)
        if advance:
            state[k, 0] = state[k, 1] > 0
            state[k, 1] -= state[k, 0]
        state[k, 1] += accept
    else:
        _step_window(k, blocks, state, needs, frees, accept, advance)


@jit
def _step_window(
    k: int,
    blocks: IntArray,
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
    ends_row = state[k, 2] == blocks[k, 2] - 1
    arrived = state[k, 8] >= state[k, 4] + blocks[k, 5] and not ends_row
    present = state[k, 6] >= state[k, 10] or (state[k, 6] + 1 == state[k, 10] and arrived)
    held = state[k, 6]
    if advance:
        state[k, 0] = present
        if present:
            state[k, 1] += 1
            if state[k, 1] == blocks[k, 1]:
                state[k, 1] = 0
                state[k, 2] += 1
                state[k, 4] += blocks[k, 4]
                if ends_row:
                    state[k, 2] = state[k, 4] = 0
                    held -= state[k, 11]
                    state[k, 3] = 0 if state[k, 3] == blocks[k, 3] - 1 else state[k, 3] + 1
                    state[k, 10], state[k, 11] = needs[k, state[k, 3]], frees[k, state[k, 3]]
    if accept:
        state[k, 5] += 1
        if state[k, 5] == blocks[k, 6]:
            state[k, 5] = 0
            state[k, 8] += 1
            if state[k, 8] == blocks[k, 7] + blocks[k, 8]:
                state[k, 8] = blocks[k, 8]
                held += 1
    state[k, 6] = held
