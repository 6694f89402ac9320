"""LSTM layers, adds and argmax against what they are meant to compute."""

from __future__ import annotations

import math
import warnings
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxsim import reference
from fxsim.arithmetic.formats import IntFormat, Overflow, Rounding
from fxsim.arithmetic.tables import Nonlinearity, build_table
from fxsim.errors import PrecisionWarning, RangeError
from fxsim.floats.checkpoint import Checkpoint, LinearParameters
from fxsim.network import Activation, Argmax
from fxsim.quantizer import quantize
from fxsim.quantizer.add import quantize_add
from fxsim.reference import LstmState
from fxsim.spec import parse_spec
from tests.oracles import meant
from tests.oracles.bound import hold
from tests.oracles.meant import HALF, Output, fractions
from tests.strategies import unhurried

SLACK = 1e-9
"""What float64 may be off in the sums and functions of the real step."""

SIZES = st.sampled_from([1.0, 1.0, 1.0, 0.3, 0.0, 1e-6, 1e-20, 1e-38, 5e-324])
"""Weights of a gate: alike, or gone but for the bias."""


def step_of(rounding: Rounding) -> float:
    """Greatest distance of a number and its rounding, in steps."""
    return 1.0 if rounding in {Rounding.FLOOR, Rounding.TO_ZERO} else 0.5


@st.composite
def cases(draw):
    """A specification of one LSTM layer and float parameters, gates of very different size."""
    inputs, cells = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    fraction = draw(st.integers(3, 7))
    layer = {
        "type": "lstm",
        "cells": cells,
        "weights": {
            "levels": draw(st.sampled_from([3, 7, 255])),
            "per": draw(st.sampled_from(["gate", "tensor"])),
        },
        "preactivation": {
            "bits": fraction + draw(st.integers(2, 4)),
            "fraction": fraction,
            "guard_bits": draw(st.integers(0, 4)),
        },
        "tables": {
            "sigmoid_bits": draw(st.integers(4, 10)),
            "tanh_bits": draw(st.integers(4, 10)),
            "step_bits": draw(st.integers(0, 2)),
        },
        "cell": {"bits": draw(st.integers(8, 16)), "fraction": fraction},
        "output": {"bits": draw(st.integers(4, 8))},
        "requantize": {"rounding": str(draw(st.sampled_from(Rounding)))},
    }
    source = {"shape": [inputs], "bits": draw(st.integers(1, 8)), "signed": draw(st.booleans())}
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def parameters(columns):
        sizes = np.repeat([draw(SIZES) for _ in range(4)], cells)
        weight = generator.normal(size=(4 * cells, columns)) * sizes[:, None]
        bias = generator.normal(size=4 * cells) * draw(st.sampled_from([0.0, 1.0, 3.0, 1e-30]))
        return LinearParameters(weight=weight, bias=bias)

    hidden = cells
    parent = {}
    if draw(st.booleans()):
        hidden = draw(st.integers(1, 3))
        layer["projection"] = {
            "units": hidden,
            "weights": {"levels": draw(st.sampled_from([3, 255]))},
            "output": {"bits": draw(st.integers(4, 8))},
        }
        weight = generator.normal(size=(hidden, cells))
        parent["layer0_projection"] = LinearParameters(weight=weight, bias=np.zeros(hidden))
    parent |= {"layer0_input": parameters(inputs), "layer0_hidden": parameters(hidden)}
    top = {"name": "n", "data": "d", "input": source, "layers": [layer]}
    return parse_spec(top, "t"), parent, generator


@unhurried
@given(case=cases())
def test_a_step_is_that_of_the_equations(case):
    spec, parent, generator = case
    (wanted,) = spec.layers
    calibration = generator.normal(size=(3, 4, *spec.input.shape))
    calibration = calibration if spec.input.signed else abs(calibration)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", PrecisionWarning)
        network = quantize(spec, Checkpoint(parent=parent), calibration)
    (layer,) = network.layers
    check_step(layer, wanted, parent, generator, coarse=bool(told))


def check_step(layer, wanted, parent, generator, coarse):
    """Hold one step from a random state to the real equations with the quantized weights."""
    fmt, state_fmt, cells = layer.input.format, layer.output.format, layer.cells
    x = generator.integers(fmt.min, fmt.max, layer.inputs, endpoint=True)
    h = generator.integers(state_fmt.min, state_fmt.max, layer.outputs, endpoint=True)
    c = generator.integers(layer.cell.min // 2, layer.cell.max // 2, cells, endpoint=True)
    found = reference.run_lstm(layer, x.tolist(), LstmState(h.tolist(), c.tolist()))

    bias = sum(parent[name].bias for name in ("layer0_input", "layer0_hidden"))
    real = bias.copy()
    for product, vector in ((layer.input_product, x), (layer.hidden_product, h)):
        scales = np.broadcast_to(product.weight_scale, product.outputs)
        real += (scales[:, None] * product.weight) @ (product.input.scale * vector)
    table_step, guard = 2.0**-wanted.preactivation.fraction, 2.0**-wanted.preactivation.guard_bits
    limit = layer.tanh.input.max * table_step
    cell_step = 2.0**-wanted.cell.fraction
    cell_limit = layer.cell.max * cell_step
    meant_step = meant.lstm_step(real, c * cell_step, limit, cell_limit)

    off = step_of(layer.rounding)
    # Each product is rounded to a guard step, the sum to a table step. A multiplier may be off by
    # half a table step more before that is told.
    products = 2 * (off * guard + (0 if coarse else 0.5))
    z_error = table_step * (off + products) + SLACK
    z = np.array(found.preactivations) * table_step
    if not coarse:
        assert (abs(z - meant_step.preactivations) <= z_error).all()

    # Tables: half a step, all of one at the top, and what a line misses of the curve.
    sigmoid, tanh = 2.0**-layer.sigmoid.bits, 2.0**-layer.tanh.bits
    bow = (table_step * (1 << layer.tanh.step_bits)) ** 2 / 8
    curved = 0.0 if layer.tanh.step_bits == 0 else bow * 0.77 + max(sigmoid, tanh)
    exact = meant.lstm_step(z, c * cell_step, limit, cell_limit)
    n, s_error, t_error = cells, sigmoid + curved, tanh + curved
    gates = np.array(found.gates)
    for k in range(3 * n):
        assert abs(gates[k] * sigmoid - (0.5 + math.tanh(z[k] / 2) / 2)) <= s_error + SLACK
    for k in range(3 * n, 4 * n):
        assert abs(gates[k] * tanh - math.tanh(z[k])) <= t_error + SLACK

    # The cell: errors of f times c, of i, of g, and two roundings.
    c_error = s_error * (abs(c) * cell_step + 1) + t_error * (1 + s_error) + 2 * off * cell_step
    cell = np.array(found.state.cell) * cell_step
    assert (abs(cell - exact.cell) <= c_error + SLACK).all()
    # Its tanh takes another step of the table's input, the output a step of its own.
    m_error = s_error + (1 + s_error) * (t_error + off * table_step + c_error)
    m_error = m_error + 2 * layer.cell_output.scale
    outputs = np.array(found.cell_outputs) * layer.cell_output.scale
    assert (abs(outputs - exact.hidden) <= m_error + SLACK).all()
    if (projection := layer.projection) is not None:
        scales = np.broadcast_to(projection.weight_scale, projection.outputs)
        weight = fractions(projection.weight) * fractions(scales).reshape(-1, 1)
        sums = weight @ (fractions(found.cell_outputs) * Fraction(layer.cell_output.scale))
        hold(projection, sums, sums * 0, found.state.hidden, coarse)


@pytest.mark.parametrize("size", [0.0, 1e-6, 1e-20, 1e-38, 5e-324])
def test_a_gate_that_is_nothing_but_its_bias(size):
    """Its pre-activation is the bias, to half a step of the tables."""
    cells, bias = 2, 1.37
    layer = {"type": "lstm", "cells": cells, "weights": {"per": "gate"}}
    top = {"name": "n", "data": "d", "input": {"shape": [3]}, "layers": [layer]}
    spec, generator = parse_spec(top, "t"), np.random.default_rng(5)
    rows = np.repeat([size, 1, 1, 1], cells)[:, None]
    parent = {
        "layer0_input": LinearParameters(
            weight=generator.normal(size=(8, 3)) * rows, bias=np.repeat([bias, 0, 0, 0], cells)
        ),
        "layer0_hidden": LinearParameters(
            weight=generator.normal(size=(8, cells)) * rows, bias=np.zeros(8)
        ),
    }
    samples = abs(generator.normal(size=(4, 5, 3)))
    (quantized,) = quantize(spec, Checkpoint(parent=parent), samples).layers
    state = reference.initial_state(quantized)
    for x in ([0, 0, 0], [255, 255, 255], [9, 0, 200]):
        found = reference.run_lstm(quantized, x, state)
        for z in found.preactivations[:cells]:
            assert abs(z * 2.0**-6 - bias) <= 2.0**-7 + 2.0**-9 + abs(size) * 5e3
        state = found.state
    # Neither gates of other sizes nor biases make accumulators wide.
    assert quantized.input_product.accumulator.format.bits <= 8 + 8 + 2 + 2


@pytest.mark.parametrize("function", Nonlinearity)
@pytest.mark.parametrize("bits", [2, 3, 8, 16])
@pytest.mark.parametrize(("input_bits", "fraction"), [(2, 0), (6, 3), (10, 6), (16, 12), (16, 16)])
@pytest.mark.parametrize("step_bits", [0, 1, 4])
def test_tables_at_every_input(function, bits, input_bits, fraction, step_bits):
    if step_bits > input_bits - 2:
        return
    table = build_table(
        function, bits=bits, input_bits=input_bits, input_fraction=fraction, step_bits=step_bits
    )
    grid = np.arange(table.input.min, table.input.max + 1) * 2.0**-fraction
    real = np.tanh(grid) if function is Nonlinearity.TANH else 0.5 + np.tanh(grid / 2) / 2
    found = np.array(table.expand())
    # Values next to 1 are the greatest of the format. A chord is off by its length squared over 8
    # times the second derivative, at most 0.77 for tanh and 0.0963 for the sigmoid; then rounding.
    chord = (2.0**-fraction * (1 << step_bits)) ** 2 / 8
    chord *= 0.77 if function is Nonlinearity.TANH else 0.0963
    between = 0.0 if step_bits == 0 else chord * 2.0**bits + 0.5
    ends = np.abs(real) * 2.0**bits > (1 << bits) - 1
    if function is Nonlinearity.SIGMOID:  # whose table is as odd about 1/2 as it is
        ends |= real * 2.0**bits < 1
    error = np.abs(found - real * 2.0**bits)
    assert (error <= np.where(ends, 1.0, 0.5) + between + SLACK).all()
    assert (np.diff(found) >= 0).all()


@unhurried
@given(data=st.data(), rounding=st.sampled_from(Rounding))
def test_adds(data, rounding):
    draw = data.draw
    items = 3
    bits, multiplier_bits = draw(st.integers(2, 10)), draw(st.sampled_from([8, 16, 24]))
    add = {
        "type": "add",
        "nonlinearity": draw(st.sampled_from(["none", "relu"])),
        "output": {"bits": bits, "signed": draw(st.booleans())},
        "requantize": {
            "multiplier_bits": multiplier_bits,
            "overflow": str(draw(st.sampled_from(Overflow))),
        },
    }
    count = draw(st.integers(2, 4))
    linear = {"type": "linear", "units": items, "output": {}, "nonlinearity": "relu"}
    names = [f"in{k}" for k in range(count)]
    layers = [*(linear | {"name": name, "sources": ["input"]} for name in names), add]
    add["sources"] = names
    top = {"name": "n", "data": "d", "input": {"shape": [items]}, "layers": layers}
    spec = parse_spec(top | {"rounding": str(rounding)}, "t")

    def operand():
        fmt = IntFormat(bits=draw(st.integers(2, 9)), signed=draw(st.booleans()))
        scale = draw(st.sampled_from([1.0, 0.7, 1.3, 1e-3, 1e-9, 1e-38, 1e20]))
        zero_point = draw(st.just(0) | st.integers(fmt.min, fmt.max))
        return Activation(format=fmt, scale=scale, zero_point=zero_point)

    operands = [operand() for _ in range(count)]
    generator = np.random.default_rng(draw(st.integers(0, 99)))
    samples = [generator.integers(a.format.min, a.format.max, (40, items)) for a in operands]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", PrecisionWarning)
        try:
            taken = list(zip(operands, samples, strict=True))
            layer, _ = quantize_add(spec, count, spec.layers[count], taken)
        except RangeError as error:
            refused = str(error)
            layer = None
    if layer is None:
        assert "multiplier_bits must be at least" in refused
        return
    out = Output(
        fmt=layer.output.format,
        scale=Fraction(layer.output.scale),
        zero_point=0,
        rounding=rounding,
        overflow=layer.tail.overflow,
        relu=layer.tail.relu,
    )
    top_ratio = max(Fraction(a.scale) for a in operands) / out.scale
    finest = top_ratio / ((1 << multiplier_bits) - HALF)
    for vectors in zip(*(x[:8] for x in samples), strict=True):
        result = reference.run_add(layer, *(vector.tolist() for vector in vectors))
        places = [fractions(v) - o.zero_point for v, o in zip(vectors, operands, strict=True)]
        real = sum(p * Fraction(o.scale) for p, o in zip(places, operands, strict=True))
        errors = sum(map(abs, places)) * finest + abs(real) / out.scale / (1 << 45)
        if not told:
            # Each operand is told by itself, so all together may be so many times as far off.
            small = count * max(HALF, Fraction(4 << bits, 1 << multiplier_bits))
            errors = np.minimum(errors, small + abs(real) / out.scale / (1 << 45))
        for integer, value, error in zip(result.activations, real, errors, strict=True):
            out.check(integer, value, error)


@given(st.lists(st.integers(-9, 9), min_size=2, max_size=9))
def test_argmax(values):
    source = Activation(format=IntFormat(bits=8, signed=True), scale=0.3, zero_point=2)
    layer = Argmax(name="best", input=source, items=len(values))
    real = [Fraction(0.3) * (value - 2) for value in values]
    assert reference.run_argmax(layer, values).activations == [meant.argmax(real)]
