"""Backpropagation through time of an LSTM layer; the formulas are those of `LstmGradient`.

All sequences take a step together, so that dx and dh are products of a batch. The elementwise part
goes row by row, in loops that become vector code.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fxsim.arithmetic import stochastic
from fxsim.arithmetic.formats import Rounding
from fxsim.kernels.arith import shift_round
from fxsim.kernels.intrinsics import wide_vectors
from fxsim.kernels.jit import jit
from fxsim.kernels.operand import Operand, exact_sums, scratch, split
from fxsim.network import IntArray

STOCHASTIC = len(Rounding)
"""Beside the codes of `fxsim.kernels.arith.ROUNDING_CODE`."""

_I, _F, _O, _G, _OUTPUT, _KEPT, _DH, _DX = range(8)  # `fxsim.network.lstm_gradient.STREAMS`
_SAT_DH, _SAT_DC, _SAT_DNET, _SAT_DX, _SAT_DW, _SAT_DU, _SAT_DB = range(7)  # `SATURATING`

_mix = jit(stochastic.mix)
_shift_round_stochastic = jit(stochastic.shift_round)


class Contract(NamedTuple):
    """The numbers of a `LstmGradient`.

    ``cuts`` has a row for each of its `STREAMS`: shift, base, sign and parity, as in
    `fxsim.kernels.epilogue`.
    """

    cuts: IntArray
    dh_bits: int
    dc_bits: int
    dnet_bits: int
    dx_bits: int
    threshold: int
    stochastic: bool
    seed: int
    sigmoid_bits: int
    tanh_bits: int


class Forward(NamedTuple):
    """Tensors of the forward pass, (n, t, ...) each; ``squashed`` is tanh of the cell state."""

    gates: npt.NDArray[Any]
    cells: npt.NDArray[Any]
    squashed: npt.NDArray[Any]


@jit
def squash(cells: Any, tanh: IntArray, shift: int, rounding: int) -> npt.NDArray[np.int32]:
    """Tanh of cell states (n, t, cells); ``tanh`` holds a result for every input, as in `lstm`."""
    top = (len(tanh) - 1) // 2
    result = np.empty(cells.shape, np.int32)
    for n in range(cells.shape[0]):
        for t in range(cells.shape[1]):
            for k in range(cells.shape[2]):
                position = shift_round(cells[n, t, k], shift, rounding)
                result[n, t, k] = tanh[min(max(position, -top), top) + top]
    return result


@jit
def _cut(values: IntArray, stream: int, keys: IntArray, contract: Contract) -> None:
    """Round a row in place."""
    wide_vectors()
    shift, base = contract.cuts[stream, 0], contract.cuts[stream, 1]
    sign, parity = contract.cuts[stream, 2], contract.cuts[stream, 3]
    if contract.stochastic:
        key = keys[stream]
        for k in range(len(values)):
            word = _mix((key + k) & 0xFFFFFFFF)
            values[k] = _shift_round_stochastic(values[k], shift, word)
    else:
        for k in range(len(values)):
            value = values[k]
            odd = (value >> shift) & parity
            values[k] = (value + base + ((value >> 63) & sign) + odd) >> shift


@jit
def _saturate(values: IntArray, bits: int) -> int:
    """Clamp a row in place and count."""
    wide_vectors()
    high = (1 << (bits - 1)) - 1
    clamped = 0
    for k in range(len(values)):
        value = min(max(values[k], -high - 1), high)
        clamped += value != values[k]
        values[k] = value
    return clamped


@jit
def _factors(
    gates: Any,
    before: Any,
    squashed: Any,
    dh: IntArray,
    dc: IntArray,
    contract: Contract,
    exact: IntArray,
) -> None:
    """Gate gradients of one sequence before they are cut, to ``exact``, shape (4, cells)."""
    wide_vectors()
    one, one_squared = 1 << contract.sigmoid_bits, 1 << (2 * contract.tanh_bits)
    cells = len(dh)
    from_i, from_f, from_o, from_g = exact[0], exact[1], exact[2], exact[3]
    for k in range(cells):
        i, g = np.int64(gates[k]), np.int64(gates[3 * cells + k])
        from_i[k] = dc[k] * g * i * (one - i)
        from_g[k] = dc[k] * i * (one_squared - g * g)
    for k in range(cells):
        f, o = np.int64(gates[cells + k]), np.int64(gates[2 * cells + k])
        from_f[k] = dc[k] * np.int64(before[k]) * f * (one - f)
        from_o[k] = dh[k] * np.int64(squashed[k]) * o * (one - o)


@jit
def _errors(
    gates: Any,
    later: Any,
    squashed: Any,
    dh: IntArray,
    dc: IntArray,
    kept: IntArray,
    keys: IntArray,
    contract: Contract,
    saturations: IntArray,
) -> None:
    """``dh`` saturated and ``dc`` moved to this step, both in place; ``later`` are next gates."""
    one_squared, cells = 1 << (2 * contract.tanh_bits), len(dh)
    saturations[_SAT_DH] += _saturate(dh, contract.dh_bits)
    for k in range(cells):
        kept[k] = np.int64(later[cells + k]) * dc[k]
        q = np.int64(squashed[k])
        dc[k] = dh[k] * np.int64(gates[2 * cells + k]) * (one_squared - q * q)
    _cut(kept, _KEPT, keys, contract)
    _cut(dc, _OUTPUT, keys, contract)
    for k in range(cells):
        dc[k] += kept[k]
    saturations[_SAT_DC] += _saturate(dc, contract.dc_bits)


@jit
def _draw(contract: Contract, sequence: int, step: int, keys: IntArray) -> None:
    start = _mix((_mix(contract.seed) + sequence) & 0xFFFFFFFF)
    for stream in range(8):
        keys[stream] = _mix((start + 8 * step + stream) & 0xFFFFFFFF)


@jit
def _step(
    forward: Forward,
    n: int,
    t: int,
    dh: IntArray,
    dc: IntArray,
    nothing: Any,
    exact: IntArray,
    keys: IntArray,
    contract: Contract,
    dnet: IntArray,
    saturations: IntArray,
) -> None:
    """Gate gradients ``dnet`` of one step of one sequence."""
    gates, squashed = forward.gates[n, t], forward.squashed[n, t]
    later = forward.gates[n, t + 1] if t + 1 < forward.gates.shape[1] else nothing
    _errors(gates, later, squashed, dh, dc, exact[0], keys, contract, saturations)
    if t > 0:
        _factors(gates, forward.cells[n, t - 1], squashed, dh, dc, contract, exact)
    else:
        _factors(gates, nothing, squashed, dh, dc, contract, exact)
    cells = len(dh)
    for gate in range(4):
        row, target = exact[gate], dnet[gate * cells : (gate + 1) * cells]
        _cut(row, gate, keys, contract)
        saturations[_SAT_DNET] += _saturate(row, contract.dnet_bits)
        for k in range(cells):
            target[k] = 0 if abs(row[k]) <= contract.threshold else row[k]


@jit
def backward(
    forward: Forward,
    dy: IntArray,
    input_operand: Operand,
    hidden_operand: Operand,
    contract: Contract,
    dnet: IntArray,
    dx: IntArray,
    recurrent: IntArray,
    saturations: IntArray,
) -> None:
    """Fill ``dnet`` and ``dx`` (n, t, ...); ``recurrent`` (n, cells) is 0, then dh0.

    The operands are W and U, transposed, with the multipliers of their rows.
    """
    count, steps, cells = dy.shape
    inputs, rows = dx.shape[2], 4 * cells
    planes, partial = scratch(count, rows, hidden_operand)
    x_partial = scratch(count, rows, input_operand)[1]
    columns = np.empty((count, inputs), np.int64)
    keys = np.zeros((count, 8), np.int64)
    dc, exact = np.zeros((count, cells), np.int64), np.empty((4, cells), np.int64)
    nothing = np.zeros(rows, forward.gates.dtype)
    for t in range(steps - 1, -1, -1):
        for n in range(count):
            if contract.stochastic:
                _draw(contract, n, t, keys[n])
            dh, above = recurrent[n], dy[n, t]
            for k in range(cells):
                dh[k] += above[k]
            _step(
                forward, n, t, dh, dc[n], nothing, exact, keys[n], contract, dnet[n, t], saturations
            )
        split(dnet[:, t], hidden_operand, planes, count)
        exact_sums(input_operand, planes, x_partial, columns)
        exact_sums(hidden_operand, planes, partial, recurrent)
        for n in range(count):
            _cut(columns[n], _DX, keys[n], contract)
            saturations[_SAT_DX] += _saturate(columns[n], contract.dx_bits)
            target, source = dx[n, t], columns[n]
            for k in range(inputs):
                target[k] = source[k]
            _cut(recurrent[n], _DH, keys[n], contract)
            saturations[_SAT_DH] += _saturate(recurrent[n], contract.dh_bits)


@jit
def ordered_sums(
    dnet: IntArray, x: IntArray, zero_point: int, bits: int, unsafe: IntArray, out: IntArray
) -> int:
    """Rows ``unsafe`` of the sum of dnet (x - zero_point), saturated after each vector.

    Sequence by sequence, from the last step to the first. Returns how many sums were clamped.
    """
    high = (1 << (bits - 1)) - 1
    clamped = 0
    out[unsafe] = 0
    for n in range(dnet.shape[0]):
        for t in range(dnet.shape[1] - 1, -1, -1):
            for j in unsafe:
                factor = dnet[n, t, j]
                if factor != 0:
                    for k in range(x.shape[2]):
                        total = out[j, k] + factor * (x[n, t, k] - zero_point)
                        out[j, k] = min(max(total, -high - 1), high)
                        clamped += out[j, k] != total
    return clamped
