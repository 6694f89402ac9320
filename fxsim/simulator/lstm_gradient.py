"""Run the backward pass of an LSTM layer on a batch, bit for bit as the hardware does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fxsim.arithmetic.formats import Rounding
from fxsim.arithmetic.stochastic import Stochastic
from fxsim.arithmetic.tensors import check_range
from fxsim.errors import RangeError
from fxsim.kernels import lstm_gradient as kernel
from fxsim.kernels.arith import ROUNDING_CODE
from fxsim.kernels.epilogue import rounding_terms
from fxsim.kernels.outer import OuterSums
from fxsim.kernels.recurrent import gate_type, lstm_kernel_of, transposed_operands
from fxsim.network import IntArray
from fxsim.network.lstm import GATES, QuantizedLstm
from fxsim.network.lstm_gradient import SATURATING, STREAMS, LstmGradient
from fxsim.simulator.trace import LayerTrace


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


def backward(gradient: LstmGradient, trace: LayerTrace, x: IntArray, dy: IntArray) -> LstmGradients:
    """Backpropagate through time over a batch that ran forward.

    Parameters
    ----------
    gradient : LstmGradient
        Holds the layer.
    trace : LayerTrace
        Trace of the layer, from `fxsim.simulator.lstm.trace` or `trace_states`.
    x : int64 array, shape (n, t, inputs)
        Integers that the layer took.
    dy : int64 array, shape (n, t, cells)
        Gradient of what it yielded, in the format ``gradient.dh``.

    Raises
    ------
    RangeError
        If a shape is wrong, an integer leaves its format, or the trace goes on from another state
        than that of new sequences.
    """
    layer = gradient.layer
    count, steps, _ = trace["cell"].shape
    if trace.start is not None and (
        trace.start.cell.any() or (trace.start.hidden != layer.output.zero_point).any()
    ):
        raise RangeError("trace must start with new sequences, not with a carried state")
    _check("x", x, (count, steps, layer.inputs), layer.input.format.min, layer.input.format.max)
    dh = gradient.dh.format
    _check("dy", dy, (count, steps, layer.cells), dh.min, dh.max)
    x, before = np.ascontiguousarray(x, np.int64), np.zeros((count, steps, layer.cells), np.int64)
    before[:, 1:] = trace.activations[:, :-1]
    dnet = np.empty((count, steps, 4 * layer.cells), np.int64)
    dx = np.empty((count, steps, layer.inputs), np.int64)
    dh0 = np.zeros((count, layer.cells), np.int64)
    saturations = np.zeros(len(SATURATING), np.int64)
    states = [np.ascontiguousarray(tensor) for tensor in (trace["gates"], trace["cell"])]
    kernel.backward(
        kernel.Forward(
            states[0].astype(gate_type(layer), copy=False),
            states[1].astype(np.int32, copy=False),
            squashed_cells(layer, states[1]),
        ),
        np.ascontiguousarray(dy, np.int64),
        *transposed_operands(layer, gradient.dnet.bits),
        _contract(gradient),
        dnet,
        dx,
        dh0,
        saturations,
    )
    counts = dict(zip(SATURATING, saturations.tolist(), strict=True))
    bits, fmt = gradient.accumulator_bits, layer.input.format
    zero, most = layer.input.zero_point, fmt.max - fmt.min
    sums = OuterSums(dnet, gradient.dnet.bits)
    dW, counts["dW"] = sums.of(x, zero, bits, most)
    dU, counts["dU"] = sums.of(before, 0, bits, -layer.output.format.min + 1)
    db, counts["db"] = sums.totals(bits)
    return LstmGradients(dnet=dnet, dx=dx, dh0=dh0, dW=dW, dU=dU, db=db, saturations=counts)


def squashed_cells(layer: QuantizedLstm, cells: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    """Tanh of the cell states of a trace, as the forward pass looked it up."""
    table: npt.NDArray[Any] = lstm_kernel_of(layer).constants.tanh
    return kernel.squash(cells, table, layer.cell_shift, ROUNDING_CODE[layer.rounding])


def _check(what: str, array: IntArray, shape: tuple[int, ...], low: int, high: int) -> None:
    if array.shape != shape:
        raise RangeError(f"{what} must have shape {shape}, not {array.shape}")
    if array.dtype.kind not in "iu":
        raise RangeError(f"{what} must hold integers, not {array.dtype}")
    check_range(array, low, high, what)


def _contract(gradient: LstmGradient) -> kernel.Contract:
    layer, rounding = gradient.layer, gradient.rounding
    shifts = [gradient.shifts[name] for name in STREAMS]
    is_stochastic = isinstance(rounding, Stochastic)
    mode = Rounding.FLOOR if isinstance(rounding, Stochastic) else rounding
    return kernel.Contract(
        cuts=np.array([(shift, *rounding_terms(mode, shift)) for shift in shifts]),
        dh_bits=gradient.dh.bits,
        dc_bits=gradient.dc.bits,
        dnet_bits=gradient.dnet.bits,
        dx_bits=gradient.dx.bits,
        threshold=gradient.threshold,
        stochastic=is_stochastic,
        seed=rounding.seed if isinstance(rounding, Stochastic) else 0,
        sigmoid_bits=layer.sigmoid.bits,
        tanh_bits=layer.tanh.bits,
    )
