"""Error of fixed-point LSTM gradients over bits: ``python -m benchmarks.gradient_error``.

Writes docs/gradient-error.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import fxsim
from fxsim.arithmetic.codes import code_of
from fxsim.arithmetic.formats import AccumulatorMode, IntFormat, Overflow, Rounding
from fxsim.arithmetic.stochastic import Stochastic
from fxsim.arithmetic.tables import Nonlinearity, build_table
from fxsim.arithmetic.tensors import Activation, FloatArray, IntArray
from fxsim.files import write_text
from fxsim.network import (
    Accumulator,
    Folding,
    QuantizedLinear,
    QuantizedLstm,
    Tail,
    accumulator_bounds,
)
from fxsim.network.lstm_gradient import GradientFormat, LstmGradient, row_multipliers
from fxsim.simulator import lstm
from fxsim.simulator.lstm_gradient import LstmGradients, backward, squashed_cells
from fxsim.simulator.trace import LayerTrace

PAGE = Path(__file__).parents[1] / "docs" / "gradient-error.md"
INPUTS, CELLS, STEPS, COUNT = 8, 16, 12, 4
INTRODUCTION = f"""# Error of the gradients over bits

`python -m benchmarks.gradient_error` wrote this page (fxsim {fxsim.__version__}).

One LSTM layer of {CELLS} cells and {INPUTS} inputs, {COUNT} sequences of {STEPS} steps, random
weights with a scale per gate. Every gradient tensor (dh, dc, dnet, dx) has the same word length,
and its fraction fits the largest value. The error is the norm of the difference of dW, dU and db
together, relative to float64.

*Same states*: float64 takes the gates, states and weights of the 8-bit forward pass, so only the
backward pass differs. *All float*: float64 runs forward and backward by itself, against a forward
pass with 16-bit weights and activations and 12-bit tables, whose own error is the floor. With the
8-bit forward pass the floor is {{floor:.1g}}.

|  | same states: error | | | zeros of dnet | | | all float: error |
|---|---|---|---|---|---|---|---|
| bits | nearest | to zero | stochastic | nearest | to zero | stochastic | nearest |"""
BITS = (4, 6, 8, 10, 12, 14, 16, 20)


@dataclass(frozen=True, kw_only=True)
class Words:
    """Word lengths of a forward pass."""

    weight: int
    activation: int
    table: int
    table_input: int
    cell: int


NARROW = Words(weight=8, activation=8, table=8, table_input=9, cell=16)
WIDE = Words(weight=16, activation=16, table=12, table_input=16, cell=18)


@dataclass(frozen=True)
class Weights:
    """Real weights of an LSTM layer, rows in the order i, f, o, g."""

    W: FloatArray
    U: FloatArray
    b: FloatArray


@dataclass(frozen=True)
class States:
    """Real values of a forward pass, shape (n, t, ...); ``q`` is tanh(c)."""

    x: FloatArray
    gates: FloatArray
    c: FloatArray
    q: FloatArray
    h: FloatArray


@dataclass(frozen=True)
class Gradients:
    """Real gradients; dh and dc are kept for the choice of formats."""

    dh: FloatArray
    dc: FloatArray
    dnet: FloatArray
    dx: FloatArray
    dW: FloatArray
    dU: FloatArray
    db: FloatArray


def random_weights(generator: np.random.Generator, inputs: int, cells: int) -> Weights:
    """Weights of usual size, the gates scaled differently; forget gates lean open."""
    gates = np.repeat([1.0, 0.7, 1.3, 1.6], cells)[:, None]
    W = gates * generator.normal(0, 1 / math.sqrt(inputs), (4 * cells, inputs))
    U = gates * generator.normal(0, 1 / math.sqrt(cells), (4 * cells, cells))
    b = generator.normal(0, 0.2, 4 * cells)
    b[cells : 2 * cells] += 1
    return Weights(W, U, b)


def quantized(weights: Weights, words: Words) -> QuantizedLstm:
    """Layer with weight scales per gate; inputs from -1 to 1, pre-activations from -8 to 8."""
    fraction, guard = words.table_input - 4, 3
    ends = {"input_bits": words.table_input, "input_fraction": fraction}
    fmt = IntFormat(bits=words.activation, signed=True, narrow=True)
    hidden = Activation(format=fmt, scale=2.0 ** (1 - words.activation))
    source = Activation(format=fmt, scale=1 / fmt.max)
    bits = words.weight
    return QuantizedLstm(
        name="lstm",
        input_product=_product("lstm_w", weights.W, weights.b, source, bits, fraction + guard),
        hidden_product=_product("lstm_u", weights.U, None, hidden, bits, fraction + guard),
        guard_bits=guard,
        sigmoid=build_table(Nonlinearity.SIGMOID, bits=words.table, **ends),
        tanh=build_table(Nonlinearity.TANH, bits=words.table, **ends),
        cell=IntFormat(bits=words.cell, signed=True),
        cell_fraction=words.cell - 4,
        cell_output=hidden,
        projection=None,
        rounding=Rounding.TIES_AWAY,
    )


def _product(
    name: str,
    real: FloatArray,
    real_bias: FloatArray | None,
    source: Activation,
    bits: int,
    fraction: int,
) -> QuantizedLinear:
    fmt = IntFormat(bits=bits, signed=True, narrow=True)
    peaks = np.abs(real).reshape(4, -1).max(axis=1)
    scale = np.repeat(peaks / fmt.max, len(real) // 4)
    weight = np.rint(real / scale[:, None]).astype(np.int64)
    bias = np.zeros(len(real)) if real_bias is None else real_bias / (scale * source.scale)
    bias = np.rint(bias).astype(np.int64)
    low, high = accumulator_bounds(weight, bias, source.format)
    ratio = scale * source.scale * 2.0**fraction
    shift = 15 - math.frexp(ratio.max())[1]
    multiplier = np.rint(ratio * 2.0**shift).astype(np.int64)
    top = int(multiplier.max())
    return QuantizedLinear(
        name=name,
        weight=weight,
        code=code_of(fmt),
        weight_scale=scale,
        bias=bias,
        input=source,
        accumulator=Accumulator(
            format=IntFormat.spanning(low, high, signed=True), mode=AccumulatorMode.WIDE
        ),
        tail=Tail(
            multiplier=multiplier,
            multiplier_bits=16,
            shift=shift,
            rounding=Rounding.TIES_AWAY,
            overflow=Overflow.SATURATE,
        ),
        output=Activation(
            format=IntFormat.spanning(
                (low * top >> shift) - 1, (high * top >> shift) + 1, signed=True
            ),
            scale=2.0**-fraction,
        ),
        folding=Folding(rows=1, simd=1),
    )


def effective_weights(layer: QuantizedLstm) -> Weights:
    """Real weights that the integers and the forward multipliers amount to."""

    def real(product: QuantizedLinear, scale: float) -> FloatArray:
        assert product.tail is not None
        unit = product.output.scale / scale * 2.0**-product.tail.shift
        return unit * row_multipliers(product)[:, None] * product.weight

    W = real(layer.input_product, layer.input.scale)
    return Weights(W, real(layer.hidden_product, layer.output.scale), np.zeros(len(W)))


def real_states(layer: QuantizedLstm, trace: LayerTrace, x: IntArray) -> States:
    """Real values of the integers of a forward pass."""
    cells = layer.cells
    scales = np.repeat([2.0**-layer.sigmoid.bits, 2.0**-layer.tanh.bits], [3 * cells, cells])
    return States(
        x=(x - layer.input.zero_point) * layer.input.scale,
        gates=trace["gates"] * scales,
        c=trace["cell"] * 2.0**-layer.cell_fraction,
        q=squashed_cells(layer, trace["cell"]) * 2.0**-layer.tanh.bits,
        h=trace.activations * layer.output.scale,
    )


def float_forward(weights: Weights, x: FloatArray) -> States:
    """The LSTM in float64."""
    count, steps, _ = x.shape
    cells = weights.U.shape[1]
    gates, c = np.empty((count, steps, 4 * cells)), np.empty((count, steps, cells))
    h = np.empty_like(c)
    before = np.zeros((2, count, cells))
    for t in range(steps):
        z = x[:, t] @ weights.W.T + before[0] @ weights.U.T + weights.b
        z[:, : 3 * cells] = 1 / (1 + np.exp(-z[:, : 3 * cells]))
        z[:, 3 * cells :] = np.tanh(z[:, 3 * cells :])
        i, f, o, g = np.split(z, 4, axis=1)
        gates[:, t], c[:, t] = z, f * before[1] + i * g
        h[:, t] = o * np.tanh(c[:, t])
        before = np.stack([h[:, t], c[:, t]])
    return States(x, gates, c, np.tanh(c), h)


def float_backward(
    weights: Weights, states: States, dy: FloatArray, threshold: float = -1.0
) -> Gradients:
    """The formulas of `LstmGradient` in float64."""
    count, steps, cells = dy.shape
    dh, dc = np.zeros((2, count, steps, cells))
    dnet, dx = np.zeros((count, steps, 4 * cells)), np.zeros_like(states.x)
    dW, dU = np.zeros_like(weights.W), np.zeros_like(weights.U)
    recurrent = kept = nothing = np.zeros((count, cells))
    for t in reversed(range(steps)):
        i, f, o, g = np.split(states.gates[:, t], 4, axis=1)
        q, c_before = states.q[:, t], states.c[:, t - 1] if t else nothing
        dh[:, t] = dy[:, t] + recurrent
        dc[:, t] = dh[:, t] * o * (1 - q * q) + kept
        parts = [
            dc[:, t] * g * i * (1 - i),
            dc[:, t] * c_before * f * (1 - f),
            dh[:, t] * q * o * (1 - o),
            dc[:, t] * i * (1 - g * g),
        ]
        d = np.concatenate(parts, axis=1)
        dnet[:, t] = d = np.where(np.abs(d) <= threshold, 0, d)
        dx[:, t], recurrent, kept = d @ weights.W, d @ weights.U, f * dc[:, t]
        dW += d.T @ states.x[:, t]
        dU += d.T @ (states.h[:, t - 1] if t else nothing)
    return Gradients(dh, dc, dnet, dx, dW, dU, dnet.sum(axis=(0, 1)))


def contract(
    layer: QuantizedLstm, bits: int, expected: Gradients, rounding: Rounding | Stochastic
) -> LstmGradient:
    """Every gradient tensor in ``bits`` bits; fractions just fit what is expected."""

    def fitted(values: FloatArray) -> GradientFormat:
        return GradientFormat(
            bits=bits, fraction=bits - 1 - math.frexp(float(np.abs(values).max()))[1]
        )

    return LstmGradient(
        layer=layer,
        dh=fitted(expected.dh),
        dc=fitted(expected.dc),
        dnet=fitted(expected.dnet),
        dx=fitted(expected.dx * layer.input.scale),
        accumulator_bits=48,
        threshold=0,
        rounding=rounding,
    )


def fixed_backward(
    gradient: LstmGradient, trace: LayerTrace, x: IntArray, dy: FloatArray
) -> LstmGradients:
    """Quantize ``dy`` and run backward."""
    fmt = gradient.dh.format
    q = np.clip(np.rint(np.ldexp(dy, gradient.dh.fraction)), fmt.min, fmt.max)
    return backward(gradient, trace, x, q.astype(np.int64))


def relative_error(gradient: LstmGradient, found: LstmGradients, expected: Gradients) -> float:
    """Norm of the error of dW, dU and db together, relative to what is expected."""
    scales = {"dW": gradient.dW_scale, "dU": gradient.dU_scale, "db": gradient.db_scale}
    real = np.concatenate([(getattr(found, k) * scale).ravel() for k, scale in scales.items()])
    exact = np.concatenate([getattr(expected, k).ravel() for k in scales])
    return float(np.linalg.norm(real - exact) / np.linalg.norm(exact))


@dataclass(frozen=True)
class Case:
    """A layer that has run forward, and what its gradients are in float64."""

    layer: QuantizedLstm
    trace: LayerTrace
    x: IntArray
    dy: FloatArray
    same_states: Gradients
    all_float: Gradients

    def error(
        self, bits: int, rounding: Rounding | Stochastic, *, end_to_end: bool = False
    ) -> tuple[float, float]:
        """Relative error and sparsity."""
        expected = self.all_float if end_to_end else self.same_states
        gradient = contract(self.layer, bits, expected, rounding)
        found = fixed_backward(gradient, self.trace, self.x, self.dy)
        return relative_error(gradient, found, expected), found.sparsity


def make_case(words: Words, seed: int) -> Case:
    """Random weights, inputs and output gradients of the size that a mean loss has."""
    generator = np.random.default_rng(seed)
    weights = random_weights(generator, INPUTS, CELLS)
    real_x = generator.uniform(-1, 1, (COUNT, STEPS, INPUTS))
    dy = generator.normal(0, 1 / (COUNT * STEPS), (COUNT, STEPS, CELLS))
    layer = quantized(weights, words)
    x = np.rint(real_x / layer.input.scale).astype(np.int64)
    trace = lstm.trace(layer, x)
    states = real_states(layer, trace, x)
    same_states = float_backward(effective_weights(layer), states, dy)
    all_float = float_backward(weights, float_forward(weights, real_x), dy)
    return Case(layer, trace, x, dy, same_states, all_float)


def page() -> str:
    """The whole page."""
    narrow, wide = make_case(NARROW, 1), make_case(WIDE, 1)
    floor = narrow.error(20, Rounding.TIES_AWAY, end_to_end=True)[0]
    lines = [INTRODUCTION.format(floor=floor)]
    roundings = (Rounding.TIES_AWAY, Rounding.TO_ZERO, Stochastic(seed=1))
    for bits in BITS:
        results = [narrow.error(bits, rounding) for rounding in roundings]
        errors = [f"{error:.2g}" for error, _ in results]
        zeros = [f"{100 * sparsity:.1f} %" for _, sparsity in results]
        end_to_end = wide.error(bits, Rounding.TIES_AWAY, end_to_end=True)[0]
        lines.append(f"| {' | '.join([str(bits), *errors, *zeros, f'{end_to_end:.2g}'])} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    text = page()
    write_text(PAGE, text)
    print(text)
