"""One sequence through an LSTM layer, in as short a step as possible.

Like `fxsim.kernels.lstm.run`, for layers whose constants are ``quick``: h stays bytes or words, and
values between the cuts have 32 bits. The step is one function and takes no slices, because counting
the references to an array costs as much as a row of its arithmetic.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fxsim.kernels.blocks import places_of
from fxsim.kernels.epilogue import Epilogue
from fxsim.kernels.intrinsics import address, gather, shift_right, wide_vectors
from fxsim.kernels.jit import jit
from fxsim.kernels.matmul import multiply, row_products
from fxsim.kernels.operand import Operand, scratch, split
from fxsim.kernels.packing import GROUP
from fxsim.network import IntArray

_STEPS = 64
"""Steps whose W x are one product."""


@jit
def _cut(value: Any, rounding: tuple[int, int, int]) -> Any:
    shift, base, sign = rounding
    return (value + base + ((value >> 63) & sign)) >> shift


@jit
def _terms(rounding: tuple[int, int, int, int]) -> tuple[int, int, int]:
    return rounding[0], rounding[1], rounding[2]


@jit
def _room(rows: int, columns: int) -> npt.NDArray[np.int32]:
    """Zeros that start at a cache line and are followed by another 16."""
    raw = np.zeros(4 * rows * columns + 128, np.uint8)
    first = -address(raw) % 64
    return raw[first : first + 4 * rows * columns].view(np.int32).reshape((rows, columns))


@jit
def _look_up(table: int, source: int, target: int, count: int) -> None:
    """Addresses of entries to entries; up to 15 more of both are touched."""
    for k in range(0, 4 * count, 64):
        gather(table, source + k, target + k)


@jit
def _requantize(sums: npt.NDArray[np.int32], epilogue: Epilogue, outputs: int) -> None:
    """Multiply and shift ``outputs`` of every row, in place."""
    wide_vectors()
    cut = epilogue.shift, epilogue.base, epilogue.sign
    multiplier, offset = epilogue.multiplier, epilogue.offset
    for row in range(sums.shape[0]):
        for k in range(outputs):
            value = np.int64(sums[row, k]) * np.int64(np.int32(multiplier[k]))
            sums[row, k] = _cut(value + offset[k], cut)


@jit
def stream(
    x: npt.NDArray[Any],
    cell: IntArray,
    hidden: IntArray,
    input_product: Operand,
    input_epilogue: Epilogue,
    hidden_product: Operand,
    hidden_epilogue: Epilogue,
    constants: Any,
    out: IntArray,
) -> None:
    """Run ``x`` (t, inputs) and fill ``out`` (t, cells); ``cell`` and ``hidden`` are the state."""
    wide_vectors()
    steps, inputs = x.shape
    cells = len(cell)
    group = max(1, min(steps, _STEPS))
    planes = scratch(group, inputs, input_product)[0]
    partial = _room(group, input_product.pitch)
    places, panels = places_of(hidden_product.weight), len(hidden_product.weight.panels)
    h = _room(1, places.groups * GROUP // 4).view(np.uint8)[0]
    h_words, words = h.view(np.int16), hidden_product.words
    sums = _room(1, hidden_product.pitch)[0]
    h_place, sums_place = address(h), address(sums)

    z, gates = _room(1, 4 * cells)[0], _room(1, 4 * cells)[0]
    i, f = gates[:cells], gates[cells : 2 * cells]
    o, g = gates[2 * cells : 3 * cells], gates[3 * cells :]
    place, bent = _room(1, cells)[0], _room(1, cells)[0]
    sigmoid, tanh = address(constants.sigmoid), address(constants.tanh)
    entry, gate = address(z), address(gates)
    multiplier, h_offset = hidden_epilogue.multiplier, hidden_epilogue.offset
    offset = hidden_product.offset
    h_cut = hidden_epilogue.shift, hidden_epilogue.base, hidden_epilogue.sign
    f_cut, i_cut = _terms(constants.forget), _terms(constants.input)
    c_cut, o_cut = _terms(constants.cell), _terms(constants.output)
    z_shift, z_base = np.int32(constants.sum[0]), np.int32(constants.sum[1])
    z_sign, last = np.int32(constants.sum[2]), np.int32(31)
    top = np.int32((len(constants.tanh) - 1) // 2)
    least = np.int32(-top)
    low, high = constants.low, constants.high
    cell_low, cell_high = constants.cell_low, constants.cell_high

    for k in range(cells):
        if words:
            h_words[k] = hidden[k]
        else:
            h[k] = np.uint8(hidden[k] + offset)
    for first in range(0, steps, group):
        size = min(group, steps - first)
        split(x[first : first + size], input_product, planes, size)
        multiply(planes[:size], 0, input_product.weight, partial[:size])
        _requantize(partial[:size], input_epilogue, 4 * cells)
        for s in range(size):
            row_products(places, panels, h_place, sums_place, (s & 1) != 0)
            for k in range(4 * cells):
                value = np.int64(sums[k]) * np.int64(np.int32(multiplier[k]))
                z[k] = _cut(value + h_offset[k], h_cut)
            for k in range(4 * cells):
                total = np.int32(z[k] + partial[s, k])
                bump = np.int32(z_base + np.int32(shift_right(total, last) & z_sign))
                total = shift_right(np.int32(total + bump), z_shift)
                z[k] = min(max(total, least), top) + top
            _look_up(sigmoid, entry, gate, 3 * cells)
            _look_up(tanh, entry + 12 * cells, gate + 12 * cells, cells)
            for k in range(cells):
                kept = _cut(np.int64(f[k]) * np.int64(np.int32(cell[k])), f_cut)
                added = _cut(np.int64(i[k]) * np.int64(g[k]), i_cut)
                state = min(max(kept + added, cell_low), cell_high)
                cell[k] = state
                place[k] = min(max(_cut(state, c_cut), least), top) + top
            _look_up(tanh, address(place), address(bent), cells)
            for k in range(cells):
                value = _cut(np.int64(o[k]) * np.int64(bent[k]), o_cut)
                place[k] = min(max(value, low), high)
            for k in range(cells):
                out[first + s, k] = place[k]
            if words:
                for k in range(cells):
                    h_words[k] = place[k]
            else:
                for k in range(cells):
                    h[k] = np.uint8(place[k] + offset)
    for k in range(cells):
        hidden[k] = h_words[k] if words else np.int64(h[k]) - offset
