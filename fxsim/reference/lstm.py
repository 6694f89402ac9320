"""LSTM layers on Python integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fxsim.arithmetic import integers
from fxsim.network import QuantizedLstm
from fxsim.reference.linear import run_linear
from fxsim.reference.result import LayerResult, LstmState


@dataclass(frozen=True, kw_only=True)
class LstmResult(LayerResult):
    """Step of an LSTM layer on one vector; gates in block order i, f, o, g."""

    state: LstmState
    input_product: LayerResult
    hidden_product: LayerResult
    projection: LayerResult | None
    preactivations: list[int]
    gates: list[int]
    cell_outputs: list[int]


def run_lstm(layer: QuantizedLstm, vector: Sequence[int], state: LstmState) -> LstmResult:
    """Apply one LSTM layer to one vector; the formulas are those of `QuantizedLstm`."""

    def shifted(value: int, shift: int) -> int:
        return integers.shift_round(value, shift, layer.rounding)

    from_input = run_linear(layer.input_product, vector)
    from_hidden = run_linear(layer.hidden_product, state.hidden)
    preactivations = [
        integers.saturate(shifted(a + b, layer.guard_bits), layer.tanh.input)
        for a, b in zip(from_input.activations, from_hidden.activations, strict=True)
    ]
    n = layer.cells
    gates = [layer.sigmoid(z) for z in preactivations[: 3 * n]]
    gates += [layer.tanh(z) for z in preactivations[3 * n :]]
    cells, outputs = [], []
    for k, before in enumerate(state.cell):
        i, f, o, g = (gates[gate * n + k] for gate in range(4))
        kept = shifted(f * before, layer.forget_shift)
        added = shifted(i * g, layer.input_shift)
        cell = integers.saturate(kept + added, layer.cell)
        squashed = layer.tanh(integers.saturate(shifted(cell, layer.cell_shift), layer.tanh.input))
        output = integers.saturate(
            shifted(o * squashed, layer.output_shift), layer.cell_output.format
        )
        cells.append(cell)
        outputs.append(output)
    projection = None if layer.projection is None else run_linear(layer.projection, outputs)
    hidden = outputs if projection is None else projection.activations
    products = [from_input, from_hidden, *([] if projection is None else [projection])]
    return LstmResult(
        accumulators=hidden,
        activations=hidden,
        overflows=sum(product.overflows for product in products),
        state=LstmState(hidden, cells),
        input_product=from_input,
        hidden_product=from_hidden,
        projection=projection,
        preactivations=preactivations,
        gates=gates,
        cell_outputs=outputs,
    )
