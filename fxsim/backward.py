"""Run the backward pass of an LSTM layer on a batch, bit for bit as the hardware does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fxsim.errors import RangeError
from fxsim.kernels import lstm_gradient as kernel
from fxsim.kernels.arith import ROUNDING_CODE
from fxsim.lstm import GATES, QuantizedLstm
from fxsim.lstm_gradient import SATURATING, STREAMS, LstmGradient, row_multipliers
from fxsim.network import IntArray
from fxsim.stochastic import Stochastic
from fxsim.tensors import check_range
from fxsim.trace import LstmTrace


@dataclass(frozen=True, kw_only=True, eq=False)
class LstmGradients:
    """Gradients of one LSTM layer over ``n`` sequences of ``t`` vectors, as integers.

    Parameters
    ----------
    dnet : int64 array, shape (n, t, 4 * cells)
        Gate gradients after the threshold, in block order i, f, o, g.
    dx : int64 array, shape (n, t, inputs)
    dh0 : int64 array, shape (n, cells)
        Gradient of the hidden values before the first step.
    dW, dU, db : int64 arrays, shapes (4 * cells, inputs), (4 * cells, cells), (4 * cells,)
        Summed over all sequences and steps.
    saturations : dict
        Values that were clamped, by tensor.
    """

    dnet: IntArray
    dx: IntArray
    dh0: IntArray
    dW: IntArray
    dU: IntArray
    db: IntArray
    saturations: dict[str, int]

    @property
    def zeros(self) -> dict[str, int]:
        """Zero gate gradients, by gate."""
        gates = self.dnet.reshape(-1, len(GATES), self.db.size // len(GATES))
        return {name: int((gates[:, k] == 0).sum()) for k, name in enumerate(GATES)}

    @property
    def sparsity(self) -> float:
        """Share of gate gradients that are zero."""
        return sum(self.zeros.values()) / self.dnet.size if self.dnet.size else 0.0


def backward(gradient: LstmGradient, trace: LstmTrace, x: IntArray, dy: IntArray) -> LstmGradients:
    """Backpropagate through time over a batch that ran forward.

    Parameters
    ----------
    gradient : LstmGradient
        Holds the layer.
    trace : LstmTrace
        Of the layer, from `fxsim.simulate.simulate_trace`.
    x : int64 array, shape (n, t, inputs)
        What the layer took.
    dy : int64 array, shape (n, t, cells)
        Gradient of what it yielded, in the format ``gradient.dh``.

    Raises
    ------
    RangeError
        If a shape is wrong, an integer leaves its format, or the trace goes on from another state
        than that of new sequences.
    """
    layer = gradient.layer
    count, steps, _ = trace.cells.shape
    if trace.start.cell.any() or (trace.start.hidden != layer.output.zero_point).any():
        raise RangeError("trace must start with new sequences, not with a carried state")
    _check("x", x, (count, steps, layer.inputs), layer.input.format.min, layer.input.format.max)
    dh = gradient.dh.format
    _check("dy", dy, (count, steps, layer.cells), dh.min, dh.max)
    rows, columns = 4 * layer.cells, layer.inputs
    out = kernel.Gradients(
        dnet=np.zeros((count, steps, rows), np.int64),
        dx=np.zeros((count, steps, columns), np.int64),
        dh0=np.zeros((count, layer.cells), np.int64),
        dW=np.zeros((rows, columns), np.int64),
        dU=np.zeros((rows, layer.cells), np.int64),
        db=np.zeros(rows, np.int64),
        saturations=np.zeros(len(SATURATING), np.int64),
    )
    kernel.backward(
        kernel.Forward(
            x=np.ascontiguousarray(x, np.int64),
            gates=np.ascontiguousarray(trace.gates),
            cells=np.ascontiguousarray(trace.cells),
            squashed=squashed_cells(layer, trace.cells),
            hidden=np.ascontiguousarray(trace.activations),
        ),
        np.ascontiguousarray(dy, np.int64),
        layer.input_product.weight,
        row_multipliers(layer.input_product),
        layer.hidden_product.weight,
        row_multipliers(layer.hidden_product),
        _contract(gradient),
        out,
    )
    counts = dict(zip(SATURATING, out.saturations.tolist(), strict=True))
    return LstmGradients(
        dnet=out.dnet,
        dx=out.dx,
        dh0=out.dh0,
        dW=out.dW,
        dU=out.dU,
        db=out.db,
        saturations=counts,
    )


def squashed_cells(layer: QuantizedLstm, cells: IntArray) -> IntArray:
    """Tanh of the cell states of a trace, as the forward pass looked it up."""
    table = np.array(layer.tanh.expand())
    return kernel.squash(cells, table, layer.cell_shift, ROUNDING_CODE[layer.rounding])


def _check(what: str, array: IntArray, shape: tuple[int, ...], low: int, high: int) -> None:
    if array.shape != shape:
        raise RangeError(f"{what} must have shape {shape}, not {array.shape}")
    if array.dtype.kind not in "iu":
        raise RangeError(f"{what} must hold integers, not {array.dtype}")
    check_range(array, low, high, what)


def _contract(gradient: LstmGradient) -> kernel.Contract:
    layer, rounding = gradient.layer, gradient.rounding
    if isinstance(rounding, Stochastic):
        code, seed = kernel.STOCHASTIC, rounding.seed
    else:
        code, seed = ROUNDING_CODE[rounding], 0
    return kernel.Contract(
        shifts=np.array([gradient.shifts[name] for name in STREAMS]),
        dh_bits=gradient.dh.bits,
        dc_bits=gradient.dc.bits,
        dnet_bits=gradient.dnet.bits,
        dx_bits=gradient.dx.bits,
        accumulator_bits=gradient.accumulator_bits,
        threshold=gradient.threshold,
        rounding=code,
        seed=seed,
        sigmoid_bits=layer.sigmoid.bits,
        tanh_bits=layer.tanh.bits,
        zero_point=layer.input.zero_point,
    )
