"""Gain of zero skipping: the cycle model over thresholds, sizes and lane mappings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fxsim.arithmetic.tensors import IntArray
from fxsim.errors import RangeError
from fxsim.timing.skip_unit import ideal_cycles, pair_counts, sparse_matvec_cycles

LATENCY = 9
"""Cycles from the last pairs of a tile to its output; they count once a run."""

SHARES = (0.0, 0.3, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98)
"""Shares of zeros that the thresholds aim at."""

MAPPINGS = ("shared", "banks", "blocks", "lanes")
"""Where the weights of a column are.

``shared``: in a word that every pair can read, as in `fxsim.hw.skip.sparse_mac.SparseMac`.
``banks`` and ``blocks``: in bank j mod issue, or in one of ``issue`` blocks of neighbours. Each is
read once a cycle and has a queue, so that pairs overtake one another within a vector. ``lanes``:
column j belongs to lane j mod issue and its MACs for good; all lanes wait for the last one at the
end of a vector, and the next vector is not taken before. This is the bound of lane imbalance.
"""


@dataclass(frozen=True, kw_only=True)
class SkipRow:
    """One point: a threshold and the sizes of the unit, and what the model says.

    Parameters
    ----------
    sweep : str
        Parameter that is varied: threshold, folding, lanes, depth or mapping.
    sparsity : float
        Share of zeros at this threshold.
    cycles, beats, dense : int
        Cycles of all vectors, those in which their beats arrive, and those of a dense array with
        the same MACs.
    ideal : float
        Pairs * tiles / issue, or the arriving beats where they are more.
    starved, full, conflict : int
        Cycles without work, cycles in which beats waited, cycles lost to banks or lanes.
    """

    sweep: str
    threshold: int
    sparsity: float
    lanes: int
    issue: int
    rows: int
    depth: int
    mapping: str
    macs: int
    cycles: int
    beats: int
    ideal: float
    dense: int
    starved: int
    full: int
    conflict: int

    @property
    def speed_up(self) -> float:
        """Over the dense array."""
        return self.dense / self.cycles

    @property
    def over_ideal(self) -> float:
        """Cycles over the ideal ones."""
        return self.cycles / self.ideal


def thresholds(gradients: IntArray, shares: Sequence[float] = SHARES) -> list[int]:
    """Thresholds that come nearest to the given shares of zeros, without repetition."""
    magnitudes = np.sort(np.abs(gradients), axis=None)
    places = [min(int(share * magnitudes.size), magnitudes.size - 1) for share in shares]
    return sorted({0, *(int(magnitudes[place]) for place in places)})


def study(
    gradients: IntArray,
    *,
    outputs: int,
    macs: Sequence[int] = (16, 64),
    lanes: int = 16,
    depth: int = 16,
) -> Iterator[SkipRow]:
    """Every sweep over the gradients.

    Parameters
    ----------
    gradients : integer array, shape (vectors, items)
    outputs : int
        Outputs of the product: cells for dh, inputs for dx.
    macs : sequence of int
        MACs, each folded in all ways that divide it.
    lanes, depth : int
        Where they are not varied.

    Raises
    ------
    RangeError
        If a value is not an integer, no vector has one, or there are too few outputs.
    """
    if gradients.dtype.kind not in "iu" or gradients.ndim != 2 or gradients.size == 0:
        raise RangeError(
            f"gradients must be integers of shape (vectors, items), not {gradients.dtype}"
            f" of {gradients.shape}"
        )
    least = min(rows for total in macs for rows, issue in foldings(total, total) if issue <= lanes)
    if outputs < least:
        raise RangeError(f"outputs must be at least {least} to keep the MACs busy, not {outputs}")
    levels = thresholds(gradients)
    for total in macs:
        folded = [fold for fold in foldings(total, outputs) if fold[1] <= lanes]
        for threshold in levels:
            for rows, issue in folded:
                yield _row("threshold", gradients, threshold, lanes, issue, rows, depth, outputs)
            for issue in (4, 16):
                if issue > lanes or total % issue or total // issue > outputs:
                    continue
                for mapping in MAPPINGS[1:]:
                    rows = total // issue
                    yield _mapped(gradients, threshold, lanes, issue, rows, outputs, mapping)
        if not folded:
            continue
        rows, issue = folded[0]
        for threshold in (0, nearest(gradients, 0.8), nearest(gradients, 0.95)):
            for width in (4, 8, 16, 32, 64):
                if issue <= width <= gradients.shape[1]:
                    yield _row("lanes", gradients, threshold, width, issue, rows, depth, outputs)
            for queue in (1, 2, 4, 8, 16, 64):
                yield _row("depth", gradients, threshold, lanes, issue, rows, queue, outputs)


def foldings(macs: int, outputs: int) -> list[tuple[int, int]]:
    """Pairs (rows, issue) of ``macs`` MACs by powers of four, the most rows first."""
    found = [(macs // issue, issue) for issue in (1, 4, 16, 64) if macs % issue == 0]
    return [(rows, issue) for rows, issue in found if rows <= outputs and rows >= issue // 4]


def nearest(gradients: IntArray, share: float) -> int:
    """Threshold whose share of zeros is nearest to ``share``."""
    magnitudes = np.abs(gradients)
    levels = np.unique(magnitudes)
    zeros = np.searchsorted(np.sort(magnitudes, axis=None), levels, side="right")
    return int(levels[np.argmin(np.abs(zeros / magnitudes.size - share))])


def _row(
    sweep: str,
    gradients: IntArray,
    threshold: int,
    lanes: int,
    issue: int,
    rows: int,
    depth: int,
    outputs: int,
) -> SkipRow:
    tiles = -(-outputs // rows)
    cycles = sparse_matvec_cycles(
        gradients,
        lanes=lanes,
        issue=issue,
        tiles=tiles,
        latency=LATENCY,
        depth=depth,
        threshold=threshold,
        summary=True,
    )
    return _made(
        gradients,
        sweep=sweep,
        threshold=threshold,
        lanes=lanes,
        issue=issue,
        rows=rows,
        depth=depth,
        mapping="shared",
        cycles=cycles.total,
        tiles=tiles,
        starved=int(cycles.starved.sum()),
        full=int(cycles.full.sum()),
        conflict=0,
    )


def _mapped(
    gradients: IntArray,
    threshold: int,
    lanes: int,
    issue: int,
    rows: int,
    outputs: int,
    mapping: str,
) -> SkipRow:
    """Bound of a mapping in which pairs compete: the fullest bank of each vector, or the beats."""
    vectors, items = gradients.shape
    tiles = -(-outputs // rows)
    kept = np.abs(gradients) > threshold
    place = np.arange(items)
    bank = place * issue // items if mapping == "blocks" else place % issue
    loads = np.stack([kept[:, bank == k].sum(axis=1) for k in range(issue)], axis=1)
    work = np.maximum(loads.max(axis=1), 1) * tiles
    least = np.maximum(-(-kept.sum(axis=1) // issue), 1) * tiles
    beats = vectors * -(-items // lanes)
    # Lanes that wait for one another do so vector by vector; banks have the whole buffer to even
    # out, and are given the benefit of an endless one.
    each = np.maximum(work, -(-items // lanes)) if mapping == "lanes" else work
    return _made(
        gradients,
        sweep="mapping",
        threshold=threshold,
        lanes=lanes,
        issue=issue,
        rows=rows,
        depth=0,
        mapping=mapping,
        cycles=max(int(each.sum()), beats) + LATENCY,
        tiles=tiles,
        starved=max(beats - int(work.sum()), 0),
        full=0,
        conflict=int((work - least).sum()),
    )


def _made(gradients: IntArray, *, tiles: int, **facts: int | str) -> SkipRow:
    threshold, lanes, issue = (int(facts[key]) for key in ("threshold", "lanes", "issue"))
    counts = pair_counts(gradients, lanes, 1, 1, threshold)
    pairs = int(counts.sum())
    return SkipRow(
        **facts,  # type: ignore[arg-type]
        macs=int(facts["rows"]) * issue,
        beats=counts.size,
        sparsity=1 - pairs / gradients.size,
        ideal=ideal_cycles(pairs, beats=counts.size, issue=issue, tiles=tiles),
        dense=-(-gradients.size * tiles // issue),
    )
