"""LSTM layers: a whole sequence inside one compiled call."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fxsim.kernels.epilogue import Epilogue, requantize_into
from fxsim.kernels.intrinsics import wide_vectors
from fxsim.kernels.jit import jit
from fxsim.kernels.matmul import multiply
from fxsim.kernels.operand import Operand, exact_sums, scratch, split
from fxsim.network import IntArray

_ROWS = 64
"""Rows of W x at a time: so many steps of so many sequences, one product."""


class Elementwise(NamedTuple):
    """Constants of the cell; the formulas are those of `fxsim.network.QuantizedLstm`.

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
    quick: bool
    """True if `run` may fuse the cuts: 32-bit sums and multipliers, and no ties to even."""


class States(NamedTuple):
    """Tensors for a backward pass, (n, t, ...); of size 0 when nobody asks."""

    gates: npt.NDArray[np.signedinteger]
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
def _cut(value: Any, rounding: tuple[int, int, int, int]) -> Any:
    shift, base, sign, parity = rounding
    odd = (value >> shift) & parity
    return (value + base + ((value >> 63) & sign) + odd) >> shift


@jit
def _plain_cut(value: Any, rounding: tuple[int, int, int]) -> Any:
    shift, base, sign = rounding
    return (value + base + ((value >> 63) & sign)) >> shift


@jit
def _store(source: Any, target: Any) -> None:
    # Slice assignment does the same, at ten times the compile time.
    for k in range(len(source)):
        target[k] = source[k]


@jit
def _add(from_input: IntArray, from_hidden: IntArray, constants: Elementwise, z: Any) -> None:
    """Pre-activations ``z`` of one sequence, shape (4 * cells,)."""
    top = (len(constants.tanh) - 1) // 2
    rounding = constants.sum
    for k in range(len(z)):
        value = _cut(from_input[k] + from_hidden[k], rounding)
        z[k] = min(max(value, -top), top)


@jit
def _add_sums(
    x_sums: npt.NDArray[np.int32],
    x_epilogue: Epilogue,
    h_sums: npt.NDArray[np.int32],
    h_epilogue: Epilogue,
    constants: Elementwise,
    z: Any,
) -> None:
    """`_add` from the accumulators: multipliers below 2**31, no parity, no slack; no saturation."""
    top = (len(constants.tanh) - 1) // 2
    rounding = constants.sum
    wide_vectors()
    x_cut = x_epilogue.shift, x_epilogue.base, x_epilogue.sign
    h_cut = h_epilogue.shift, h_epilogue.base, h_epilogue.sign
    z_cut = rounding[0], rounding[1], rounding[2]
    x_multiplier, h_multiplier = x_epilogue.multiplier, h_epilogue.multiplier
    x_offset, h_offset = x_epilogue.offset, h_epilogue.offset
    for k in range(len(z)):
        from_input = np.int64(x_sums[k]) * np.int64(np.int32(x_multiplier[k]))
        from_hidden = np.int64(h_sums[k]) * np.int64(np.int32(h_multiplier[k]))
        total = _plain_cut(from_input + x_offset[k], x_cut)
        total += _plain_cut(from_hidden + h_offset[k], h_cut)
        value = _plain_cut(total, z_cut)
        z[k] = min(max(value, -top), top)


@jit
def _look_up(z: Any, constants: Elementwise, gates: Any) -> None:
    top = (len(constants.tanh) - 1) // 2
    sigmoid, tanh = constants.sigmoid, constants.tanh
    size = len(z)
    for k in range(size // 4 * 3):
        gates[k] = sigmoid[np.uint64(z[k] + top)]
    for k in range(size // 4 * 3, size):
        gates[k] = tanh[np.uint64(z[k] + top)]


@jit
def _cell(
    gates: Any, cell: IntArray, constants: Elementwise, place: Any, outputs: IntArray
) -> None:
    """New cell states, in place, and outputs of one sequence; ``place`` is room for addresses."""
    cells, tanh = len(cell), constants.tanh
    top = (len(tanh) - 1) // 2
    i, f = gates[:cells], gates[cells : 2 * cells]
    o, g = gates[2 * cells : 3 * cells], gates[3 * cells :]
    for k in range(cells):
        kept = _cut(f[k] * cell[k], constants.forget)
        added = _cut(np.int64(i[k]) * np.int64(g[k]), constants.input)
        state = min(max(kept + added, constants.cell_low), constants.cell_high)
        cell[k] = state
        place[k] = min(max(_cut(state, constants.cell), -top), top)
    for k in range(cells):
        place[k] = tanh[np.uint64(place[k] + top)]
    for k in range(cells):
        value = _cut(np.int64(o[k]) * np.int64(place[k]), constants.output)
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
    projection_epilogue: Any,
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
    quick = constants.quick and not keeps_details
    clipped = 0
    for first in range(0, steps, group):
        size = min(group, steps - first)
        rows = size * count
        for s in range(size):
            split(x[:, first + s], input_product, x_planes[s * count :], rows)
        planes = x_planes[: rows * input_product.planes]
        partial = x_partial[: rows * input_product.planes]
        if quick:
            multiply(planes, 0, input_product.weight, partial)
        else:
            exact_sums(input_product, planes, partial, x_sums[:rows])
            requantize_into(x_sums[:rows], input_epilogue, x_values[:rows])
        for s in range(size):
            t = first + s
            split(hidden, hidden_product, h_planes, count)
            if quick:
                multiply(h_planes, 0, hidden_product.weight, h_partial)
            else:
                exact_sums(hidden_product, h_planes, h_partial, h_sums)
                requantize_into(h_sums, hidden_epilogue, h_values)
            for n in range(count):
                row = s * count + n
                if quick:
                    x_row, h_row = partial[row], h_partial[n]
                    _add_sums(x_row, input_epilogue, h_row, hidden_epilogue, constants, z)
                else:
                    _add(x_values[row], h_values[n], constants, z)
                _look_up(z, constants, gates)
                _cell(gates, cell[n], constants, place, outputs[n])
                if keeps_states:
                    _store(gates, states.gates[n, t])
                    _store(cell[n], states.cells[n, t])
                if keeps_details:
                    _store(x_sums[row], details.input_sums[n, t])
                    _store(x_values[row], details.input_values[n, t])
                    _store(h_sums[n], details.hidden_sums[n, t])
                    _store(h_values[n], details.hidden_values[n, t])
                    _store(z, details.preactivations[n, t])
                    _store(outputs[n], details.outputs[n, t])
                if projection is None:
                    _store(outputs[n], hidden[n])
            if projection is not None:
                split(outputs, projection, m_planes, count)
                exact_sums(projection, m_planes, m_partial, m_sums)
                clipped += requantize_into(m_sums, projection_epilogue, hidden)
            for n in range(count):
                _store(hidden[n], out[n, t])
                if projection is not None and keeps_details:
                    _store(m_sums[n], details.projection_sums[n, t])
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
        _add(from_input[n], from_hidden[n], constants, z[n])
        _look_up(z[n], constants, gates[n])
        _cell(gates[n], cell[n], constants, place, outputs[n])
