"""Backpropagation through time of an LSTM layer; the formulas are those of `LstmGradient`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fxsim import stochastic
from fxsim.formats import Rounding
from fxsim.kernels.arith import shift_round
from fxsim.kernels.jit import jit
from fxsim.network import IntArray

STOCHASTIC = len(Rounding)
"""Beside the codes of `fxsim.kernels.arith.ROUNDING_CODE`."""

_I, _F, _O, _G, _OUTPUT, _KEPT, _DH, _DX = range(8)  # `fxsim.lstm_gradient.STREAMS`
_SAT_DH, _SAT_DC, _SAT_DNET, _SAT_DX, _SAT_DW, _SAT_DU, _SAT_DB = range(7)  # `SATURATING`

_mix = jit(stochastic.mix)
_shift_round_stochastic = jit(stochastic.shift_round)


class Contract(NamedTuple):
    """The numbers of a `LstmGradient`; ``shifts`` in the order of its `STREAMS`."""

    shifts: IntArray
    dh_bits: int
    dc_bits: int
    dnet_bits: int
    dx_bits: int
    accumulator_bits: int
    threshold: int
    rounding: int
    seed: int
    sigmoid_bits: int
    tanh_bits: int
    zero_point: int


class Forward(NamedTuple):
    """What the forward pass left: (n, t, ...) each; ``squashed`` is tanh of the cell state."""

    x: IntArray
    gates: IntArray
    cells: IntArray
    squashed: IntArray
    hidden: IntArray


class Gradients(NamedTuple):
    """Results, zero at first."""

    dnet: IntArray
    dx: IntArray
    dh0: IntArray
    dW: IntArray
    dU: IntArray
    db: IntArray
    saturations: IntArray


@jit
def squash(cells: IntArray, tanh: IntArray, shift: int, rounding: int) -> IntArray:
    """Tanh of cell states (n, t, cells); ``tanh`` holds a result for every input, as in `lstm`."""
    top = (len(tanh) - 1) // 2
    result = np.empty_like(cells)
    for n in range(cells.shape[0]):
        for t in range(cells.shape[1]):
            for k in range(cells.shape[2]):
                position = shift_round(cells[n, t, k], shift, rounding)
                result[n, t, k] = tanh[min(max(position, -top), top) + top]
    return result


@jit
def _cut(value: int, stream: int, index: int, keys: IntArray, contract: Contract) -> int:
    shift = contract.shifts[stream]
    if contract.rounding != STOCHASTIC:
        return shift_round(value, shift, contract.rounding)
    return _shift_round_stochastic(value, shift, _mix((keys[stream] + index) & 0xFFFFFFFF))


@jit
def _saturate(value: int, bits: int, which: int, saturations: IntArray) -> int:
    high = (1 << (bits - 1)) - 1
    if value > high:
        saturations[which] += 1
        return high
    if value < -high - 1:
        saturations[which] += 1
        return -high - 1
    return value


@jit
def _transposed(dnet: IntArray, weight: IntArray, multiplier: IntArray, total: IntArray) -> None:
    """For each column k the sum over the rows j of dnet[j] * multiplier[j] * weight[j, k]."""
    total[:] = 0
    for j in range(len(dnet)):
        if dnet[j] != 0:
            scaled = dnet[j] * multiplier[j]
            for k in range(len(total)):
                total[k] += scaled * weight[j, k]


@jit
def backward(
    forward: Forward,
    dy: IntArray,
    input_weight: IntArray,
    input_multiplier: IntArray,
    hidden_weight: IntArray,
    hidden_multiplier: IntArray,
    contract: Contract,
    out: Gradients,
) -> None:
    """Fill ``out``; sums run sequence by sequence, from the last step to the first."""
    x, gates, states, squashed, hidden = forward
    count, steps, inputs = x.shape
    cells = states.shape[2]
    one, one_squared = 1 << contract.sigmoid_bits, 1 << (2 * contract.tanh_bits)
    dnet_bits, accumulator_bits = contract.dnet_bits, contract.accumulator_bits
    saturations = out.saturations
    keys = np.zeros(8, np.int64)
    dc = np.empty(cells, np.int64)
    recurrent = np.empty(cells, np.int64)
    columns, rows = np.empty(inputs, np.int64), np.empty(cells, np.int64)
    exact = np.empty(4, np.int64)
    for n in range(count):
        dc[:] = 0
        recurrent[:] = 0
        for t in range(steps - 1, -1, -1):
            if contract.rounding == STOCHASTIC:
                start = _mix((_mix(contract.seed) + n) & 0xFFFFFFFF)
                for stream in range(8):
                    keys[stream] = _mix((start + 8 * t + stream) & 0xFFFFFFFF)
            dnet = out.dnet[n, t]
            for k in range(cells):
                i, f = gates[n, t, k], gates[n, t, cells + k]
                o, g = gates[n, t, 2 * cells + k], gates[n, t, 3 * cells + k]
                q = squashed[n, t, k]
                before = states[n, t - 1, k] if t > 0 else 0
                later = gates[n, t + 1, cells + k] if t + 1 < steps else 0
                dh = _saturate(dy[n, t, k] + recurrent[k], contract.dh_bits, _SAT_DH, saturations)
                total = _cut(dh * o * (one_squared - q * q), _OUTPUT, k, keys, contract)
                total += _cut(later * dc[k], _KEPT, k, keys, contract)
                dc[k] = _saturate(total, contract.dc_bits, _SAT_DC, saturations)
                exact[_I] = dc[k] * g * i * (one - i)
                exact[_F] = dc[k] * before * f * (one - f)
                exact[_O] = dh * q * o * (one - o)
                exact[_G] = dc[k] * i * (one_squared - g * g)
                for gate in range(4):
                    value = _cut(exact[gate], gate, k, keys, contract)
                    value = _saturate(value, dnet_bits, _SAT_DNET, saturations)
                    dnet[gate * cells + k] = 0 if abs(value) <= contract.threshold else value
            for j in range(4 * cells):
                d = dnet[j]
                if d == 0:
                    continue
                for k in range(inputs):
                    total = out.dW[j, k] + d * (x[n, t, k] - contract.zero_point)
                    out.dW[j, k] = _saturate(total, accumulator_bits, _SAT_DW, saturations)
                if t > 0:
                    for k in range(cells):
                        total = out.dU[j, k] + d * hidden[n, t - 1, k]
                        out.dU[j, k] = _saturate(total, accumulator_bits, _SAT_DU, saturations)
                out.db[j] = _saturate(out.db[j] + d, accumulator_bits, _SAT_DB, saturations)
            _transposed(dnet, input_weight, input_multiplier, columns)
            for k in range(inputs):
                value = _cut(columns[k], _DX, k, keys, contract)
                out.dx[n, t, k] = _saturate(value, contract.dx_bits, _SAT_DX, saturations)
            _transposed(dnet, hidden_weight, hidden_multiplier, rows)
            for k in range(cells):
                value = _cut(rows[k], _DH, k, keys, contract)
                recurrent[k] = _saturate(value, contract.dh_bits, _SAT_DH, saturations)
        out.dh0[n] = recurrent
