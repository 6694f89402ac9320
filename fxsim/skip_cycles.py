"""Exact cycle counts of zero-operand skipping, for a given gradient.

The times are those of a willing source and a ready sink; the first beat is taken in cycle 0. Only
the number of pairs in each beat matters, so the model is the control of the hardware without data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fxsim.errors import ConfigError
from fxsim.formats import IntFormat
from fxsim.kernels.jit import jit
from fxsim.tensors import IntArray


@dataclass(frozen=True, kw_only=True)
class SkipCycles:
    """Cycles of one unit for one gradient.

    Parameters
    ----------
    accepted : int64 array
        Cycle in which each beat is taken.
    outputs : int64 array
        Cycle of each output beat: groups of pairs, or tiles of the product.
    busy : int
        Cycles in which the output of the skipper, or the MAC array, has work.
    """

    accepted: IntArray
    outputs: IntArray
    busy: int

    @property
    def total(self) -> int:
        """Cycles from the first beat in to the last beat out."""
        return int(self.outputs[-1]) + 1


def zero_skipper_cycles(
    gradients: IntArray, *, lanes: int, issue: int, depth: int = 16, threshold: int = 0
) -> SkipCycles:
    """Cycles of a `hw.zero_skip.ZeroSkipper`.

    Parameters
    ----------
    gradients : int64 array, shape (vectors, items)
    lanes, issue, depth : int
        Those of the unit.
    threshold : int
        Values of at most this magnitude count as zeros.

    Raises
    ------
    ConfigError
        If a size is out of range.
    """
    counts = _counts(gradients, lanes, issue, depth, threshold)
    accepted, outputs, _ = _run(counts, issue, depth, 0, 1)
    return SkipCycles(accepted=accepted, outputs=outputs, busy=len(outputs))


def sparse_matvec_cycles(
    gradients: IntArray,
    *,
    lanes: int,
    issue: int,
    tiles: int,
    latency: int,
    depth: int = 16,
    threshold: int = 0,
) -> SkipCycles:
    """Cycles of a `hw.sparse_matvec.SparseMatVec`; see `zero_skipper_cycles`.

    Parameters
    ----------
    tiles : int
        Groups of ``rows`` outputs.
    latency : int
        See `sparse_matvec_latency`.
    """
    counts = _counts(gradients, lanes, issue, depth, threshold)
    room = 2 * -(-gradients.shape[1] // issue)  # two vectors without any zero
    accepted, passes, busy = _run(counts, issue, depth, room, tiles)
    return SkipCycles(accepted=accepted, outputs=passes + latency, busy=int(busy))


def sparse_matvec_latency(
    *, issue: int, weight: IntFormat, dsp: bool, multiplier_bits: int, per_channel: bool
) -> int:
    """Cycles from the last group of a tile, at the MAC array, to the tile's outputs."""
    ternary = weight.bits == 2 and weight.narrow
    products = 1 if ternary else 2 if dsp else -(-weight.bits // 2)
    requantizer = 2 + (multiplier_bits > 0) + per_channel
    return 2 + products + (issue - 1).bit_length() + requantizer


def ideal_cycles(pairs: int, *, beats: int, issue: int, tiles: int = 1) -> float:
    """Least cycles for ``pairs`` non-zeros that arrive in ``beats`` beats."""
    return max(pairs * tiles / issue, float(beats))


def _counts(gradients: IntArray, lanes: int, issue: int, depth: int, threshold: int) -> IntArray:
    """Pairs of each beat, shape (vectors, beats)."""
    if gradients.ndim != 2 or gradients.size == 0:
        raise ConfigError(f"gradients must be a filled matrix, not of shape {gradients.shape}")
    for key, size in (("lanes", lanes), ("issue", issue), ("depth", depth)):
        if size < 1:
            raise ConfigError(f"{key} must be at least 1, not {size}")
    if issue > lanes:
        raise ConfigError(f"issue must be at most lanes ({lanes}), not {issue}")
    vectors, items = gradients.shape
    kept = np.zeros((vectors, -(-items // lanes) * lanes), np.int64)
    kept[:, :items] = np.abs(gradients) > threshold
    counts: IntArray = kept.reshape(vectors, -1, lanes).sum(axis=2)
    return counts


@jit
def _run(
    counts: IntArray, issue: int, depth: int, room: int, tiles: int
) -> tuple[IntArray, IntArray, int]:
    """Step all units; with ``room`` a `ReplayBuffer` of that depth follows the skipper.

    Returns the cycles of accepted beats, those of groups out of the skipper (``room`` 0) or of the
    last groups of each pass at the MAC array, and the number of the groups it takes.
    """
    vectors, beats = counts.shape
    accepted = np.zeros(vectors * beats, np.int64)
    outputs = np.zeros(vectors * tiles if room else vectors * beats + counts.sum(), np.int64)
    done = ended = busy = beat = 0

    full, known, held = False, False, 0  # compactor
    queue, lasts = np.zeros(depth, np.int64), np.zeros(depth, np.bool_)
    read = queued = 0
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
        take = queued > 0 and not ending and level < issue
        total = level + (queue[read] if take else 0)
        end = ending or (take and lasts[read])
        emit = end or total >= issue
        space = queued < depth
        offered = beat < vectors * beats
        count = counts[beat // beats, beat % beats] if offered else 0
        ends = offered and beat % beats == beats - 1
        accept = offered and (space or not full)
        closes = ends and count == 0
        push = full and space and (known or closes or count > 0)
        load = accept and (count > 0 or (ends and (known or not full)))

        # Registers, from the sink to the source.
        if room:
            if unread > 0:
                busy += 1
                finished, final = groups[here], tile == tiles - 1
                here = (here + 1) % room
                unread -= 1
                stored -= final
                if finished:
                    outputs[ended] = cycle + 1
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
        if step:
            valid, last = emit, end and total <= issue
            level = max(total - issue, 0) if emit else total
            ending = end and not last
            if take:
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
    return accepted, outputs if room else outputs[:done], busy
