"""The oracle of the backward pass: `LstmGradient` on Python integers, slowly and obviously."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fxsim.arithmetic import integers, stochastic
from fxsim.arithmetic.formats import IntFormat
from fxsim.arithmetic.stochastic import Stochastic
from fxsim.network import QuantizedLinear
from fxsim.network.lstm_gradient import SATURATING, STREAMS, LstmGradient, row_multipliers
from fxsim.reference.lstm import LstmResult

Matrix = list[list[int]]


@dataclass(frozen=True)
class GradientResult:
    """Gradients of a batch of sequences; gates in block order i, f, o, g."""

    dnet: list[Matrix]
    dx: list[Matrix]
    dh0: Matrix
    dW: Matrix
    dU: Matrix
    db: list[int]
    saturations: dict[str, int]


def run_backward(
    gradient: LstmGradient,
    results: Sequence[Sequence[LstmResult]],
    x: Sequence[Sequence[Sequence[int]]],
    dy: Sequence[Sequence[Sequence[int]]],
) -> GradientResult:
    """Backpropagate ``dy`` through sequences that ran forward from the initial state.

    Parameters
    ----------
    gradient : LstmGradient
    results : by sequence and step
        Result of `fxsim.reference.run_lstm`.
    x, dy : by sequence, step and lane
        Inputs of the layer and gradients of its outputs.
    """
    cells, inputs = gradient.layer.cells, gradient.layer.inputs
    total = GradientResult(
        dnet=[],
        dx=[],
        dh0=[],
        dW=[[0] * inputs for _ in range(4 * cells)],
        dU=[[0] * cells for _ in range(4 * cells)],
        db=[0] * (4 * cells),
        saturations=dict.fromkeys(SATURATING, 0),
    )
    for sequence, steps in enumerate(results):
        _run_sequence(gradient, sequence, steps, x[sequence], dy[sequence], total)
    return total


def _run_sequence(
    gradient: LstmGradient,
    sequence: int,
    results: Sequence[LstmResult],
    x: Sequence[Sequence[int]],
    dy: Sequence[Sequence[int]],
    total: GradientResult,
) -> None:
    layer, shifts = gradient.layer, gradient.shifts
    cells = layer.cells
    one, one_squared = 1 << layer.sigmoid.bits, 1 << 2 * layer.tanh.bits

    def cut(value: int, name: str, step: int, index: int) -> int:
        if isinstance(gradient.rounding, Stochastic):
            stream = STREAMS.index(name)
            key = stochastic.stream_key(gradient.rounding.seed, sequence, step, stream)
            word = stochastic.random_word(key, index)
            return stochastic.shift_round(value, shifts[name], word)
        return integers.shift_round(value, shifts[name], gradient.rounding)

    def saturated(value: int, fmt: IntFormat, name: str) -> int:
        result = integers.saturate(value, fmt)
        total.saturations[name] += result != value
        return result

    recurrent = [0] * cells
    dc = [0] * cells
    all_dnet: Matrix = []
    all_dx: Matrix = []
    for t in reversed(range(len(results))):
        gates = results[t].gates
        dnet = [0] * (4 * cells)
        for k in range(cells):
            i, f, o, g = (gates[gate * cells + k] for gate in range(4))
            cell_before = results[t - 1].state.cell[k] if t else 0
            later_f = results[t + 1].gates[cells + k] if t + 1 < len(results) else 0
            position = integers.shift_round(
                results[t].state.cell[k], layer.cell_shift, layer.rounding
            )
            q = layer.tanh(integers.saturate(position, layer.tanh.input))

            dh = saturated(dy[t][k] + recurrent[k], gradient.dh.format, "dh")
            from_output = cut(dh * o * (one_squared - q * q), "output", t, k)
            kept = cut(later_f * dc[k], "kept", t, k)
            dc[k] = saturated(from_output + kept, gradient.dc.format, "dc")
            exact = {
                "i": dc[k] * g * i * (one - i),
                "f": dc[k] * cell_before * f * (one - f),
                "o": dh * q * o * (one - o),
                "g": dc[k] * i * (one_squared - g * g),
            }
            for gate, name in enumerate(exact):
                value = saturated(cut(exact[name], name, t, k), gradient.dnet.format, "dnet")
                dnet[gate * cells + k] = 0 if abs(value) <= gradient.threshold else value

        h_before = results[t - 1].state.hidden if t else [0] * cells
        for j in range(4 * cells):
            for k in range(layer.inputs):
                product = dnet[j] * (x[t][k] - layer.input.zero_point)
                total.dW[j][k] = saturated(total.dW[j][k] + product, gradient.accumulator, "dW")
            for k in range(cells):
                product = dnet[j] * h_before[k]
                total.dU[j][k] = saturated(total.dU[j][k] + product, gradient.accumulator, "dU")
            total.db[j] = saturated(total.db[j] + dnet[j], gradient.accumulator, "db")

        dx = []
        for k, weighted in enumerate(_transposed(layer.input_product, dnet)):
            dx.append(saturated(cut(weighted, "dx", t, k), gradient.dx.format, "dx"))
        for k, weighted in enumerate(_transposed(layer.hidden_product, dnet)):
            recurrent[k] = saturated(cut(weighted, "dh", t, k), gradient.dh.format, "dh")
        all_dnet.insert(0, dnet)
        all_dx.insert(0, dx)
    total.dnet.append(all_dnet)
    total.dx.append(all_dx)
    total.dh0.append(recurrent)


def _transposed(product: QuantizedLinear, dnet: list[int]) -> list[int]:
    """For each column k the sum over the rows j of dnet[j] * multiplier[j] * weight[j, k]."""
    multipliers = row_multipliers(product).tolist()
    return [
        sum(d * m * w for d, m, w in zip(dnet, multipliers, column, strict=True))
        for column in product.weight.T.tolist()
    ]
