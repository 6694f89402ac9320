"""Exact cycle counts of zero-operand skipping, for a given gradient.

The times are those of a willing source and a ready sink; the first beat is taken in cycle 0. Only
the number of pairs in each beat matters, so the model is the control of the hardware without data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fxsim.arithmetic.codes import code_of
from fxsim.arithmetic.formats import IntFormat
from fxsim.arithmetic.tensors import IntArray
from fxsim.errors import ConfigError
from fxsim.timing.dots import dot_latency
from fxsim.timing.kernels import skip


@dataclass(frozen=True, kw_only=True)
class SkipCycles:
    """Cycles of one unit for one gradient.

    Every cycle from the second to the last is busy, starved or drain; waits of beats are counted by
    themselves. Pairs never compete for a bank in these units, see
    `fxsim.hw.skip.sparse_mac.SparseMac`.

    Parameters
    ----------
    accepted : int64 array
        Cycle in which each beat is taken; empty for a summary.
    outputs : int64 array
        Cycle of each output beat: groups of pairs, or tiles of the product. Of each vector's last
        one only, for a summary.
    groups : int64 array, shape (vectors,)
        Groups of pairs of each vector.
    busy : int
        Cycles in which the output of the skipper, or the MAC array, has work.
    starved : int64 array, shape (vectors,)
        Cycles without work before each vector's groups: its pairs have not come yet.
    full : int64 array, shape (vectors,)
        Cycles in which a beat of each vector had to wait for room.
    drain : int
        Cycles from the last work to the last output.
    """

    accepted: IntArray
    outputs: IntArray
    groups: IntArray
    busy: int
    starved: IntArray
    full: IntArray
    drain: int

    @property
    def total(self) -> int:
        """Cycles from the first beat in to the last beat out."""
        return int(self.outputs[-1]) + 1


def zero_skipper_cycles(
    gradients: IntArray,
    *,
    lanes: int,
    issue: int,
    depth: int = 16,
    threshold: int = 0,
    summary: bool = False,
) -> SkipCycles:
    """Cycles of a `fxsim.hw.skip.zero_skip.ZeroSkipper`.

    Parameters
    ----------
    gradients : integer array, shape (vectors, items)
    lanes, issue, depth : int
        Those of the unit.
    threshold : int
        Values of at most this magnitude count as zeros.
    summary : bool
        True to leave out the cycles of single beats, which takes less time and memory.

    Raises
    ------
    ConfigError
        If a size is out of range.
    """
    counts = pair_counts(gradients, lanes, issue, depth, threshold)
    vectors, beats = counts.shape
    outputs = np.zeros(
        (vectors if summary else vectors * (beats + 1) + int(counts.sum()), 1), np.int64
    )
    return _run(counts, issue, depth, 0, 1, outputs, 0, summary)


def sparse_matvec_cycles(
    gradients: IntArray,
    *,
    lanes: int,
    issue: int,
    tiles: int,
    latency: int,
    depth: int = 16,
    threshold: int = 0,
    summary: bool = False,
) -> SkipCycles:
    """Cycles of a `fxsim.hw.skip.sparse_matvec.SparseMatVec`; see `zero_skipper_cycles`.

    Parameters
    ----------
    tiles : int
        Groups of ``rows`` outputs.
    latency : int
        See `sparse_matvec_latency`.
    """
    if tiles < 1:
        raise ConfigError(f"tiles must be at least 1, not {tiles}")
    counts = pair_counts(gradients, lanes, issue, depth, threshold)
    room = 2 * -(-gradients.shape[1] // issue)  # two vectors without any zero
    outputs = np.zeros((len(counts), 1 if summary else tiles), np.int64)
    return _run(counts, issue, depth, room, tiles, outputs, latency, summary)


def sparse_matvec_latency(
    *, issue: int, weight: IntFormat, dsp: bool, multiplier_bits: int, per_channel: bool
) -> int:
    """Cycles from the last group of a tile, at the MAC array, to the tile's outputs."""
    requantizer = 2 + (multiplier_bits > 0) + per_channel
    return sparse_mac_latency(issue=issue, weight=weight, dsp=dsp) + requantizer


def sparse_mac_latency(*, issue: int, weight: IntFormat, dsp: bool) -> int:
    """Cycles from a tile's last group, at a `fxsim.hw.skip.sparse_mac.SparseMac`, to its sums."""
    return 3 + dot_latency(code_of(weight), issue, dsp=dsp)


def ideal_cycles(pairs: int, *, beats: int, issue: int, tiles: int = 1) -> float:
    """Least cycles for ``pairs`` non-zeros that arrive in ``beats`` beats."""
    return max(pairs * tiles / issue, float(beats))


def pair_counts(
    gradients: IntArray, lanes: int, issue: int, depth: int, threshold: int
) -> IntArray:
    """Pairs of each beat, shape (vectors, beats)."""
    if gradients.ndim != 2 or gradients.size == 0:
        raise ConfigError(f"gradients must be a filled matrix, not of shape {gradients.shape}")
    for key, size in (("lanes", lanes), ("issue", issue), ("depth", depth)):
        if size < 1:
            raise ConfigError(f"{key} must be at least 1, not {size}")
    if issue > lanes:
        raise ConfigError(f"issue must be at most lanes ({lanes}), not {issue}")
    return skip.count_pairs(np.ascontiguousarray(gradients), lanes, threshold)


def _run(
    counts: IntArray,
    issue: int,
    depth: int,
    room: int,
    tiles: int,
    outputs: IntArray,
    latency: int,
    summary: bool,
) -> SkipCycles:
    vectors, beats = counts.shape
    accepted = np.zeros(0 if summary else vectors * beats, np.int64)
    groups, starved, full = (np.zeros(vectors, np.int64) for _ in range(3))
    total = skip.run(counts, issue, depth, room, tiles, accepted, outputs, groups, starved, full)
    every = room == 0 and not summary
    return SkipCycles(
        accepted=accepted,
        outputs=(outputs[:total] if every else outputs).reshape(-1) + latency,
        groups=groups,
        busy=total * tiles,
        starved=starved,
        full=full,
        drain=latency,
    )
