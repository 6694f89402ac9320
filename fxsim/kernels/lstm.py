"""The elementwise part of an LSTM step."""

from __future__ import annotations

from fxsim.kernels.arith import shift_round
from fxsim.kernels.jit import jit
from fxsim.network import IntArray


@jit
def _clamp(value: int, low: int, high: int) -> int:
    if value < low:
        return low
    return high if value > high else value


@jit
def step(
    from_input: IntArray,
    from_hidden: IntArray,
    cell: IntArray,
    sigmoid: IntArray,
    tanh: IntArray,
    guard_bits: int,
    forget_shift: int,
    input_shift: int,
    cell_shift: int,
    output_shift: int,
    rounding: int,
    cell_low: int,
    cell_high: int,
    low: int,
    high: int,
    preactivations: IntArray,
    gates: IntArray,
    outputs: IntArray,
) -> None:
    """One step of ``n`` sequences; the formulas are those of `fxsim.lstm.QuantizedLstm`.

    ``from_input``, ``from_hidden``, ``preactivations`` and ``gates`` have shape (n, 4 * cells),
    ``cell`` (updated in place) and ``outputs`` (n, cells). ``sigmoid`` and ``tanh`` hold a result
    for every input of the narrow format, so the middle entry is that of 0.
    """
    count, cells = cell.shape
    top = (len(tanh) - 1) // 2
    for n in range(count):
        for k in range(4 * cells):
            total = from_input[n, k] + from_hidden[n, k]
            z = _clamp(shift_round(total, guard_bits, rounding), -top, top)
            preactivations[n, k] = z
            gates[n, k] = sigmoid[z + top] if k < 3 * cells else tanh[z + top]
        for k in range(cells):
            kept = shift_round(gates[n, cells + k] * cell[n, k], forget_shift, rounding)
            added = shift_round(gates[n, k] * gates[n, 3 * cells + k], input_shift, rounding)
            state = _clamp(kept + added, cell_low, cell_high)
            cell[n, k] = state
            squashed = tanh[_clamp(shift_round(state, cell_shift, rounding), -top, top) + top]
            output = shift_round(gates[n, 2 * cells + k] * squashed, output_shift, rounding)
            outputs[n, k] = _clamp(output, low, high)
