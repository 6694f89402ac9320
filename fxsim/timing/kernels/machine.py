"""Hardware blocks that streams join, cycle by cycle and without data, until they repeat themselves.

What each kind of block does at a clock edge stands in `fxsim.timing.kernels.blocks`.
"""

from __future__ import annotations

import numpy as np

from fxsim.kernels.jit import inlined, jit
from fxsim.network import IntArray
from fxsim.timing.kernels import blocks
from fxsim.timing.kernels.blocks import SINK, SOURCE, BoolArray

PATIENCE = 200
"""Cycles without a transfer anywhere, more than any pipeline has stages: nothing will ever move."""

KEPT = 64
"""States at the ends of vectors that are kept, to find one of them again."""

DONE, REPEATS, LATE, STUCK = range(4)
"""Ends of a run: all vectors are there, or as many as there was time for; a state came again; a
word is late; nothing moves any more."""

KIND, NUMBER, TAKES, GIVES = range(4)
"""Columns of the order: kind and number of a block, first streams that it takes and gives."""
ORDER_COLUMNS = 4

CYCLE, WORDS = range(2)
"""Columns of a mark: its cycle, and words that had left, from this column on one for each port."""


@jit
def run(
    kinds: IntArray,
    size: IntArray,
    inputs: IntArray,
    outputs: IntArray,
    needs: IntArray,
    frees: IntArray,
    order: IntArray,
    passing: IntArray,
    entering: IntArray,
    shares: IntArray,
    leaving: IntArray,
    counts: IntArray,
    follows: BoolArray,
    vectors: int,
    latest: IntArray,
    cycles: int,
    rests: bool,
    together: bool,
    led: bool,
) -> tuple[int, int, int, IntArray, IntArray, IntArray, IntArray]:
    """Run until ``vectors`` vectors have left by each port, or less if the rest is known then.

    Parameters
    ----------
    kinds : int64 array, shape (n,)
    size : int64 array, shape (n, SIZES)
        Sizes of each block.
    inputs, outputs : int64 arrays, shape (n, most streams of a block)
        Streams by number, -1 where there is none.
    needs, frees : int64 array, shape (n, rows of windows)
        `fxsim.arithmetic.windows.Windows.row_plan` of each line buffer; in ``needs`` also the words
        of each turn of a concat.
    order : int64 array, shape (blocks without a memory, ORDER_COLUMNS)
        Each block after those whose ready it looks at.
    passing : int64 array
        Blocks that offer words which they do not hold, each after those whose valid it looks at.
    entering, leaving : int64 arrays
        Streams that come in, a word in each cycle in which it is taken, and those that go out.
    shares : int64 array, shape (ports in,)
        Words of a vector, where ports wait for one another; else 0.
    counts : int64 array, shape (ports out,)
        Words of a vector.
    follows : bool array, shape (ports out,)
        True if the last word of a vector waits until one has come in by the first port.
    latest : int64 array, shape (ports out, words)
        Cycle that each word must not be later than; no words if they may come when they like.
    cycles : int
        After which no other vector is waited for, from the second one on.
    rests : bool
        True if the input waits until nothing moves any more after reset.
    together : bool
        True if no port by which words come in may be more than a vector ahead of another.
    led : bool
        True if the first port must have a vector before another may have the next.

    Returns
    -------
    end : int
    cycle : int
        In which it ended; the first word may be taken in cycle 0.
    start : int
        In which the first word was taken from the first port; -1 where that was never.
    taken : int64 array, shape (ports out, words)
        Cycle of each word that has left.
    sent : int64 array, shape (ports out,)
        Words that have left.
    before : int64 array, shape (1 + ports out,)
        Mark of when the blocks were in the state of the end before; -1 where that was never.
    held : int64 array, shape (n,)
        The least depth of each queue that would have refused no word.
    """
    count, ports = len(kinds), len(leaving)
    streams = max(inputs.max(), outputs.max()) + 1
    # A row for each block, and one for the words that have passed by each port.
    columns = max(blocks.STATES, outputs.shape[1], len(entering) + ports)
    at = np.zeros((count + 1, columns), np.int64)
    entered = np.zeros(len(entering), np.int64)
    valid, later = np.zeros(streams, np.bool_), np.zeros(streams, np.bool_)
    ready = np.zeros(streams, np.bool_)
    held = np.zeros(count, np.int64)
    these = [np.flatnonzero(kinds == kind) for kind in range(blocks.KINDS)]
    pipes, widens, narrows = these[blocks.PIPE], these[blocks.WIDEN], these[blocks.NARROW]
    buffers, windows, queues = these[blocks.BUFFER], these[blocks.WINDOW], these[blocks.QUEUE]
    joins, concats = these[blocks.JOIN], these[blocks.CONCAT]
    forks, feedbacks = these[blocks.FORK], these[blocks.FEEDBACK]
    skids = these[blocks.SKID]
    at[windows, blocks.NEXT_COLUMN] = size[windows, blocks.PADDING]
    full = np.zeros(1 + count, np.bool_)

    taken = np.zeros((ports, 16 * counts.max()), np.int64)
    sent = np.zeros(ports, np.int64)
    kept = np.zeros((KEPT, *at.shape), np.int64)
    marks = np.full((KEPT, WORDS + ports), -1, np.int64)
    before = np.full(WORDS + ports, -1, np.int64)
    ended = cycle = quiet = 0
    start = -1
    while True:
        valid[:] = later
        if not rests:
            _enter(entering, entered, shares, together, led, valid)
        _offer(kinds, size, outputs, passing, at, valid)
        _let_out(leaving, counts, follows, sent, entered[0] // max(shares[0], 1), ready)
        _admit_stored(buffers, windows, queues, skids, size, at, full, ready)
        _admit(order, size, inputs, outputs, at, valid, ready)

        if not rests:
            if start < 0 and valid[entering[0]] and ready[entering[0]]:
                start = cycle
            if sent.max() == taken.shape[1]:
                taken = np.concatenate((taken, np.zeros_like(taken)), axis=1)
            if not _leave(leaving, valid, ready, latest, cycle, taken, sent):
                return LATE, cycle, start, taken, sent, before, held

        blocks.pipes(pipes, size, at, valid, later, ready)
        blocks.widens(widens, size, at, valid, later, ready)
        blocks.narrows(narrows, size, at, valid, later, ready)
        blocks.buffers(buffers, size, at, valid, later, ready)
        blocks.windows(windows, size, at, needs, frees, valid, later, ready)
        _move_joins(joins, concats, size, at, inputs, needs, valid, later, ready)
        _move_queues(queues, forks, feedbacks, size, at, outputs, valid, later, ready, held)
        blocks.skids(skids, size, at, valid, ready)

        quiet = 0 if _moves(valid, ready) else quiet + 1
        if quiet > PATIENCE:
            if not rests:
                return STUCK, cycle, start, taken, sent, before, held
            rests, quiet = False, 0
            continue
        if rests:
            continue
        _count(entering, entered, shares, valid, ready)
        cycle += 1
        if _whole(sent, counts) > ended:
            ended += 1
            if ended == vectors or (ended > 1 and cycle >= cycles):
                return DONE, cycle, start, taken, sent, before, held
            for port in range(len(entering)):
                at[count, port] = entered[port] - ended * shares[port]
            for port in range(ports):
                at[count, len(entering) + port] = follows[port] * (
                    sent[port] - ended * counts[port]
                )
            found = _find(at, kept)
            if found < KEPT and marks[found, CYCLE] >= 0:
                return REPEATS, cycle, start, taken, sent, marks[found], held
            kept[ended % KEPT] = at
            marks[ended % KEPT, CYCLE] = cycle
            marks[ended % KEPT, WORDS:] = sent


@inlined
def _whole(words: IntArray, shares: IntArray) -> int:
    """Vectors that have passed by every port; ``shares`` are the words of one."""
    least = words[0] // max(shares[0], 1)
    for port in range(1, len(words)):
        least = min(least, words[port] // max(shares[port], 1))
    return int(least)


@inlined
def _enter(
    entering: IntArray,
    entered: IntArray,
    shares: IntArray,
    together: bool,
    led: bool,
    valid: BoolArray,
) -> None:
    """Offer a word at each port that is not too far ahead of another."""
    least, first = _whole(entered, shares), entered[0] // max(shares[0], 1)
    for port, stream in enumerate(entering):
        early = together and entered[port] >= shares[port] * (least + 2)
        leads = led and port > 0 and entered[port] >= shares[port] * (first + 1)
        valid[stream] = not early and not leads


@inlined
def _count(
    entering: IntArray, entered: IntArray, shares: IntArray, valid: BoolArray, ready: BoolArray
) -> None:
    """Count words that come in, where that matters."""
    for port, stream in enumerate(entering):
        entered[port] += shares[port] > 0 and valid[stream] and ready[stream]


@inlined
def _let_out(
    leaving: IntArray,
    counts: IntArray,
    follows: BoolArray,
    sent: IntArray,
    first: int,
    ready: BoolArray,
) -> None:
    """Set ready of each stream that goes out, where ``first`` vectors came by the first port."""
    for port, stream in enumerate(leaving):
        ready[stream] = not follows[port] or (sent[port] + 1) // counts[port] <= first


@inlined
def _leave(
    leaving: IntArray,
    valid: BoolArray,
    ready: BoolArray,
    latest: IntArray,
    cycle: int,
    taken: IntArray,
    sent: IntArray,
) -> bool:
    """Write down the cycle of each word that leaves; returns if none is late."""
    for port in range(len(leaving)):
        if valid[leaving[port]] and ready[leaving[port]]:
            taken[port, sent[port]] = cycle
            sent[port] += 1
        elif sent[port] < latest.shape[1] and cycle >= latest[port, sent[port]]:
            return False
    return True


@inlined
def _moves(valid: BoolArray, ready: BoolArray) -> bool:
    """True if a word is taken anywhere."""
    moves = False
    for stream in range(len(valid)):
        moves |= valid[stream] & ready[stream]
    return moves


@inlined
def _admit_stored(
    buffers: IntArray,
    windows: IntArray,
    queues: IntArray,
    skids: IntArray,
    size: IntArray,
    at: IntArray,
    full: BoolArray,
    ready: BoolArray,
) -> None:
    """Set ready of what blocks take that look at their own memory for it."""
    blocks.admit_buffers(buffers, size, at, ready)
    blocks.admit_windows(windows, size, at, ready)
    blocks.admit_skids(skids, size, at, ready)
    if len(queues):
        blocks.admit_queues(queues, size, at, full, ready)


@inlined
def _move_joins(
    joins: IntArray,
    concats: IntArray,
    size: IntArray,
    at: IntArray,
    inputs: IntArray,
    needs: IntArray,
    valid: BoolArray,
    later: BoolArray,
    ready: BoolArray,
) -> None:
    """Clock edge of the blocks that take several streams."""
    if len(joins):
        blocks.joins(joins, size, at, valid, later, ready)
    if len(concats):
        blocks.concats(concats, size, at, inputs, needs, valid, later, ready)


@inlined
def _move_queues(
    queues: IntArray,
    forks: IntArray,
    feedbacks: IntArray,
    size: IntArray,
    at: IntArray,
    outputs: IntArray,
    valid: BoolArray,
    later: BoolArray,
    ready: BoolArray,
    held: IntArray,
) -> None:
    """Clock edge of the blocks that only networks with branches or loops have."""
    if len(queues):
        blocks.queues(queues, size, at, valid, later, ready, held)
    if len(forks):
        blocks.forks(forks, size, at, outputs, valid, ready)
    if len(feedbacks):
        blocks.feedbacks(feedbacks, size, at, valid, ready)


@jit
def _offer(
    kinds: IntArray,
    size: IntArray,
    outputs: IntArray,
    passing: IntArray,
    at: IntArray,
    valid: BoolArray,
) -> None:
    """Set valid of what blocks pass on: a fork's words to each sink that has not taken them."""
    for k in passing:
        source, sink = size[k, SOURCE], size[k, SINK]
        if kinds[k] == blocks.FORK:
            for place in range(outputs.shape[1]):
                if outputs[k, place] >= 0:
                    valid[outputs[k, place]] = valid[source] and at[k, place] == 0
        elif kinds[k] == blocks.SKID:
            valid[sink] = valid[source] or at[k, blocks.KEEPS] != 0
        else:
            valid[sink] = at[k, blocks.ZEROS] < size[k, blocks.BACK_BEATS] or valid[source]


@jit
def _admit(
    order: IntArray,
    size: IntArray,
    inputs: IntArray,
    outputs: IntArray,
    at: IntArray,
    valid: BoolArray,
    ready: BoolArray,
) -> None:
    """Set ready of what blocks take that look at others for it."""
    for row in range(len(order)):
        kind, k = order[row, KIND], order[row, NUMBER]
        source, sink = order[row, TAKES], order[row, GIVES]
        advance = not valid[sink] or ready[sink]
        if kind in (blocks.PIPE, blocks.WIDEN):
            ready[source] = advance
        elif kind == blocks.NARROW:
            last = blocks.ends_word(
                at[k, blocks.PART],
                size[k, blocks.PARTS],
                at[k, blocks.SLIM_BEAT],
                size[k, blocks.SLIM_BEATS],
            )
            ready[source] = not valid[sink] or (ready[sink] and last)
        elif kind == blocks.JOIN:
            idle = blocks.empty(at[k, blocks.STAGES], size[k, blocks.LATENCY])
            turn = size[k, blocks.SPACING] == 1 or idle or at[k, blocks.PHASE] == 0
            _admit_join(inputs, k, advance and turn, valid, ready)
        elif kind == blocks.CONCAT:
            for place in range(size[k, blocks.STREAMS]):
                ready[inputs[k, place]] = advance and place == at[k, blocks.TURN]
        elif kind == blocks.FORK:
            ready[source] = _all_served(outputs, k, at, ready)
        else:
            ready[source] = at[k, blocks.ZEROS] == size[k, blocks.BACK_BEATS] and ready[sink]


@inlined
def _admit_join(inputs: IntArray, k: int, takes: bool, valid: BoolArray, ready: BoolArray) -> None:
    """Set ready of each stream whose word is the last one that is missing, or of all."""
    missing = 0
    for place in range(inputs.shape[1]):
        if inputs[k, place] >= 0 and not valid[inputs[k, place]]:
            missing += 1
    for place in range(inputs.shape[1]):
        stream = inputs[k, place]
        if stream >= 0:
            ready[stream] = takes and missing == (not valid[stream])


@inlined
def _all_served(outputs: IntArray, k: int, at: IntArray, ready: BoolArray) -> bool:
    """True if each sink of a fork has taken its word, or takes it now."""
    done = True
    for place in range(outputs.shape[1]):
        if outputs[k, place] >= 0:
            done = done and (at[k, place] != 0 or ready[outputs[k, place]])
    return done


@jit
def _find(at: IntArray, kept: IntArray) -> int:
    """Place of a state among those that are kept; their number if it is not."""
    for place in range(len(kept)):
        same = True
        for k in range(at.shape[0]):
            for column in range(at.shape[1]):
                same = same and at[k, column] == kept[place, k, column]
            if not same:
                break
        if same:
            return place
    return len(kept)
