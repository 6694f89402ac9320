"""Exact cycle counts of the blocks of an LSTM's backward pass.

The times are those of willing sources and ready sinks; the first beat is taken in cycle 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import lcm

import numpy as np

from fxsim.arithmetic.tables import Table
from fxsim.arithmetic.tensors import IntArray
from fxsim.network import QuantizedLinear
from fxsim.network.lstm_gradient import LstmGradient, row_multipliers
from fxsim.timing.kernels import backward_control
from fxsim.timing.skip_unit import SkipCycles, pair_counts, sparse_mac_latency, sparse_matvec_cycles

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
    """Cycles of a `fxsim.hw.backward.gate_gradient.GateGradient`.

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
    """Cycles of a `fxsim.hw.backward.sparse_outer.SparseOuterProduct`; vectors drain together.

    Parameters
    ----------
    gradients : int64 array, shape (vectors, items)
        From one drain, or reset, to the next.
    lanes, depth, threshold : int
        See `fxsim.timing.skip_unit.zero_skipper_cycles`.
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


@dataclass(frozen=True, kw_only=True)
class BackwardCycles(BeatCycles):
    """Cycles of a `fxsim.hw.backward.lstm_backward.LstmBackward`: of cells, of dx, and of the rest.

    Parameters
    ----------
    dh0, dW, dU, db : int64 arrays
        Cycle of each output beat.
    """

    dh0: IntArray
    dW: IntArray
    dU: IntArray
    db: IntArray


def lstm_backward_cycles(
    gradient: LstmGradient,
    dnet: IntArray,
    *,
    lanes: int,
    dh_rows: int,
    dx_rows: int,
    dU_columns: int,
    dW_columns: int,
    depth: int = 16,
    dsp: bool = True,
) -> BackwardCycles:
    """Cycles of a `fxsim.hw.backward.lstm_backward.LstmBackward` for one batch.

    Parameters
    ----------
    dnet : int64 array, shape (n, t, 4 * cells)
        Gate gradients beyond the threshold.
    lanes, dh_rows, dx_rows, dU_columns, dW_columns, depth, dsp
        See `fxsim.hw.backward.lstm_backward.LstmBackwardConfig`.
    """
    count, steps, items = dnet.shape
    layer = gradient.layer
    counts = pair_counts(dnet[:, ::-1].reshape(-1, items), GATES * lanes, 1, depth, 0)
    products = (
        (layer.hidden_product, dh_rows, layer.cells),
        (layer.input_product, dx_rows, layer.inputs),
    )
    shapes = [
        _product_shape(product, rows=rows, lanes=lanes, outputs=outputs, dsp=dsp)
        for product, rows, outputs in products
    ]
    columns = ((dW_columns, layer.inputs), (dU_columns, layer.cells), (1, 1))
    tiles = [-(-outputs // rows) for _, rows, outputs in products]
    tiles += [-(-inputs // width) for width, inputs in columns]
    accepted = np.zeros(counts.size, np.int64)
    outputs = np.zeros(len(counts) * -(-layer.inputs // lanes), np.int64)
    dh0 = np.zeros(count * counts.shape[1], np.int64)
    passed = np.zeros(backward_control.SINKS, np.int64)
    backward_control.run(
        counts,
        steps,
        gate_gradient_latency(layer.tanh),
        depth,
        2 * items,
        np.array(tiles),
        np.array(shapes),
        accepted,
        outputs,
        dh0,
        passed,
    )
    dW, dU, db = (
        last + OUTER_LATENCY + np.arange(items * passes)
        for last, passes in zip(passed[2:].tolist(), tiles[2:], strict=True)
    )
    return BackwardCycles(accepted=accepted, outputs=outputs, dh0=dh0, dW=dW, dU=dU, db=db)


def _product_shape(
    product: QuantizedLinear, *, rows: int, lanes: int, outputs: int, dsp: bool
) -> list[int]:
    """Blocks of a `fxsim.hw.backward.transposed.Transposed`, in the order of the columns."""
    common = set(row_multipliers(product).tolist())
    wide = lcm(rows, lanes)
    latency = sparse_mac_latency(issue=1, weight=product.weight_format, dsp=dsp)
    return [
        int(len(common) > 1),
        latency - 1,
        wide // rows if wide != rows else 0,
        -(-outputs // rows),
        wide // lanes if wide != lanes else 0,
        -(-outputs // lanes),
        2 + int(len(common) == 1 and common != {1}),
    ]
