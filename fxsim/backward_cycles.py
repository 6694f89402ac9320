"""Exact cycle counts of the blocks of an LSTM's backward pass.

The times are those of willing sources and ready sinks; the first beat is taken in cycle 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from fxsim.skip_cycles import SkipCycles, sparse_matvec_cycles
from fxsim.tables import Table
from fxsim.tensors import IntArray

GATES = 4

OUTER_LATENCY = 5
"""Cycles from the last group of an outer product to the first word of its drain."""


@dataclass(frozen=True, kw_only=True)
class BeatCycles:
    """Cycles of the beats of one unit.

    Parameters
    ----------
    accepted : int64 array
        Cycle in which each beat is taken.
    outputs : int64 array
        Cycle of each output beat.
    """

    accepted: IntArray
    outputs: IntArray


def gate_gradient_latency(tanh: Table) -> int:
    """Cycles from a beat of cells to their gate gradients, before they are put in block order."""
    return 7 + (3 if tanh.step_bits else 2)


def gate_gradient_cycles(accepted: IntArray, *, beats: int, latency: int) -> BeatCycles:
    """Cycles of a `hw.gate_gradient.GateGradient`.

    Parameters
    ----------
    accepted : int64 array
        Cycle in which each beat of cells is taken; the unit itself takes one a cycle.
    beats : int
        Beats of a step, cells / lanes.
    latency : int
        See `gate_gradient_latency`.
    """
    written = accepted.reshape(-1, beats) + latency
    ready = np.zeros_like(written)
    ready[:, : beats // GATES] = written[:, GATES - 1 :: GATES] + 1
    # One beat a cycle, each as soon as it is there and the one before has been read.
    order = np.arange(ready.size)
    read = np.maximum.accumulate(ready.ravel() - order) + order
    return BeatCycles(accepted=accepted, outputs=read + 1)


def sparse_outer_cycles(
    gradients: IntArray, *, lanes: int, tiles: int, depth: int = 16, threshold: int = 0
) -> SkipCycles:
    """Cycles of a `hw.sparse_outer.SparseOuterProduct`, for vectors that are drained together.

    Parameters
    ----------
    gradients : int64 array, shape (vectors, items)
        From one drain, or reset, to the next.
    lanes, depth, threshold : int
        See `fxsim.skip_cycles.zero_skipper_cycles`.
    tiles : int
        Groups of ``columns`` values of x.
    """
    passes = sparse_matvec_cycles(
        gradients, lanes=lanes, issue=1, tiles=tiles, latency=0, depth=depth, threshold=threshold
    )
    first = passes.outputs[-1] + OUTER_LATENCY
    outputs = first + np.arange(gradients.shape[1] * tiles)
    drain = int(outputs[-1] - passes.outputs[-1])
    return replace(passes, outputs=outputs, drain=drain)
