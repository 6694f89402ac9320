"""LSTM layers: a whole sequence inside one compiled call."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fxsim.kernels.epilogue import Epilogue, requantize_into
from fxsim.kernels.jit import jit
from fxsim.kernels.operand import Operand, exact_sums, scratch, split
from fxsim.network import IntArray

_ROWS = 64
"""Rows of W x at a time: so many steps of so many sequences, one product."""


class Elementwise(NamedTuple):
    """Constants of the cell; the formulas are those of `fxsim.lstm.QuantizedLstm`.

    A rounding is (shift, base, sign, parity), see `fxsim.kernels.epilogue`. The tables hold a
    result for every input of the narrow format, so the middle entry is that of 0.
    """

    sigmoid: npt.NDArray[np.int32]
    tanh: npt.NDArray[np.int32]
    sum: tuple[int, int, int, int]
    forget: tuple[int, int, int, int]
    input: tuple[int, int, int, int]
    cell: tuple[int, int, int, int]
    output: tuple[int, int, int, int]
    cell_low: int
    cell_high: int
    low: int
    high: int


class States(NamedTuple):
    """What a backward pass needs, (n, t, ...); of size 0 when nobody asks."""

    gates: npt.NDArray[np.int32]
    cells: npt.NDArray[np.int32]


class Details(NamedTuple):
    """Everything else that a trace holds, (n, t, ...); of size 0 when nobody asks."""

    input_sums: IntArray
    input_values: IntArray
    hidden_sums: IntArray
    hidden_values: IntArray
    preactivations: IntArray
    outputs: IntArray
    projection_sums: IntArray


@jit
def _cut(value: int, rounding: tuple[int, int, int, int]) -> int:
    shift, base, sign, parity = rounding
    odd = (value >> shift) & parity
    return (value + base + ((value >> 63) & sign) + odd) >> shift


@jit
def _gates(
    from_input: IntArray, from_hidden: IntArray, constants: Elementwise, z: Any, gates: Any
) -> None:
    """Pre-activations and gates of one sequence, shape (4 * cells,) each."""
    top = (len(constants.tanh) - 1) // 2
    rounding, sigmoid, tanh = constants.sum, constants.sigmoid, constants.tanh
    size = len(z)
    for k in range(size):
        value = _cut(from_input[k] + from_hidden[k], rounding)
        z[k] = min(max(value, -top), top)
    for k in range(size // 4 * 3):
        gates[k] = sigmoid[z[k] + top]
    for k in range(size // 4 * 3, size):
        gates[k] = tanh[z[k] + top]


@jit
def _cell(gates: Any, cell: IntArray, constants: Elementwise, place: Any, outputs: IntArray) -> None:
    """New cell states, in place, and outputs of one sequence; ``place`` is room for addresses."""
    cells, tanh = len(cell), constants.tanh
    top = (len(tanh) - 1) // 2
    for k in range(cells):
        kept = _cut(gates[cells + k] * cell[k], constants.forget)
        added = _cut(np.int64(gates[k]) * gates[3 * cells + k], constants.input)
        state = min(max(kept + added, constants.cell_low), constants.cell_high)
        cell[k] = state
        place[k] = min(max(_cut(state, constants.cell), -top), top)
    for k in range(cells):
        outputs[k] = tanh[place[k] + top]
    for k in range(cells):
        value = _cut(gates[2 * cells + k] * outputs[k], constants.output)
        outputs[k] = min(max(value, constants.low), constants.high)


@jit
def run(
    x: npt.NDArray[Any],
    cell: IntArray,
    hidden: IntArray,
    input_product: Operand,
    input_epilogue: Epilogue,
    hidden_product: Operand,
    hidden_epilogue: Epilogue,
    projection: Operand | None,
    projection_epilogue: Epilogue | None,
    constants: Elementwise,
    states: States,
    details: Details,
    out: IntArray,
) -> int:
    """Run ``n`` sequences ``x`` of shape (n, t, inputs) and fill ``out``, (n, t, outputs).

    ``cell`` (n, cells) and ``hidden`` (n, outputs) hold the state before and after. Returns how
    many values of a projection left its format.
    """
    count, steps, inputs = x.shape
    cells, width = cell.shape[1], hidden.shape[1]
    group = max(1, min(steps, _ROWS // max(1, count)))
    x_planes, x_partial = scratch(group * count, inputs, input_product)
    h_planes, h_partial = scratch(count, width, hidden_product)
    if projection is not None:
        m_planes, m_partial = scratch(count, cells, projection)
        m_sums = np.empty((count, width), np.int64)
    x_sums = np.empty((group * count, 4 * cells), np.int64)
    x_values = np.empty_like(x_sums)
    h_sums = np.empty((count, 4 * cells), np.int64)
    h_values = np.empty_like(h_sums)
    z, gates = np.empty(4 * cells, np.int32), np.empty(4 * cells, np.int32)
    place, outputs = np.empty(cells, np.int32), np.empty((count, cells), np.int64)
    keeps_states, keeps_details = states.gates.size > 0, details.hidden_sums.size > 0
    clipped = 0
    for first in range(0, steps, group):
        size = min(group, steps - first)
        rows = size * count
        for s in range(size):
            split(x[:, first + s], input_product, x_planes[s * count :], rows)
        planes = x_planes[: rows * input_product.planes]
        partial = x_partial[: rows * input_product.planes]
        exact_sums(input_product, planes, partial, x_sums[:rows])
        requantize_into(x_sums[:rows], input_epilogue, x_values[:rows])
        for s in range(size):
            t = first + s
            split(hidden, hidden_product, h_planes, count)
            exact_sums(hidden_product, h_planes, h_partial, h_sums)
            requantize_into(h_sums, hidden_epilogue, h_values)
            for n in range(count):
                _gates(x_values[s * count + n], h_values[n], constants, z, gates)
                _cell(gates, cell[n], constants, place, outputs[n])
                if keeps_states:
                    states.gates[n, t] = gates
                    states.cells[n, t] = cell[n]
                if keeps_details:
                    details.input_sums[n, t] = x_sums[s * count + n]
                    details.input_values[n, t] = x_values[s * count + n]
                    details.hidden_sums[n, t] = h_sums[n]
                    details.hidden_values[n, t] = h_values[n]
                    details.preactivations[n, t] = z
                    details.outputs[n, t] = outputs[n]
            if projection is None:
                hidden[:] = outputs
            else:
                split(outputs, projection, m_planes, count)
                exact_sums(projection, m_planes, m_partial, m_sums)
                clipped += requantize_into(m_sums, projection_epilogue, hidden)
                if keeps_details:
                    details.projection_sums[:, t] = m_sums
            out[:, t] = hidden
    return clipped


@jit
def step(
    from_input: IntArray,
    from_hidden: IntArray,
    cell: IntArray,
    constants: Elementwise,
    z: npt.NDArray[np.int32],
    gates: npt.NDArray[np.int32],
    outputs: IntArray,
) -> None:
    """The elementwise part of one step of ``n`` sequences, (n, ...) each; see `run`."""
    place = np.empty(cell.shape[1], np.int32)
    for n in range(len(cell)):
        _gates(from_input[n], from_hidden[n], constants, z[n], gates[n])
        _cell(gates[n], cell[n], constants, place, outputs[n])
