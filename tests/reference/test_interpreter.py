"""The oracle against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxsim.arithmetic.codes import code_of
from fxsim.arithmetic.formats import AccumulatorMode, IntFormat, Overflow, Rounding
from fxsim.errors import RangeError
from fxsim.network import (
    INPUT,
    Accumulator,
    Activation,
    Folding,
    InputQuantizer,
    QuantizedLinear,
    QuantizedNetwork,
    Tail,
)
from fxsim.reference import LayerResult, run, run_linear
from tests.messages import raises
from tests.strategies import batches, networks, unhurried

UINT4 = Activation(format=IntFormat(bits=4, signed=False), scale=1.0)


def layer(mode, *, simd=1, accumulator_bits=6, **changes):
    """Weights of one sign in turn, so that partial sums go past what the total is."""
    fmt = IntFormat(bits=accumulator_bits, signed=True)
    values = {
        "name": "fc",
        "weight": np.array([[3, 2, -3, -1], [-1, 0, 1, 3]]),
        "code": code_of(IntFormat.for_levels(7)),
        "weight_scale": np.array([1.0]),
        "bias": np.array([2, -5]),
        "input": UINT4,
        "accumulator": Accumulator(format=fmt, mode=mode),
        "tail": None,
        "output": Activation(format=fmt, scale=1.0),
        "folding": Folding(rows=1, simd=simd, pad=True),
    }
    return QuantizedLinear(**(values | changes))


X = [10, 4, 15, 1]
# Products of the first output: 30 8 -45 -1, bias 2, sum -6; of the second: -10 0 15 3, bias -5,
# sum 3. int6 is -32 .. 31.
BY_HAND = [
    (AccumulatorMode.WIDE, 1, 8, [-6, 3], 0),
    (AccumulatorMode.WIDE, 3, 8, [-6, 3], 0),
    # first: 32 -> -32, -24, -69 -> -5, -6; second: -15, -15, 0, 3
    (AccumulatorMode.WRAP, 1, 6, [-6, 3], 2),
    # first: 40 -> -24, -70 -> -6
    (AccumulatorMode.WRAP, 2, 6, [-6, 3], 2),
    # first: -5, -6
    (AccumulatorMode.WRAP, 3, 6, [-6, 3], 0),
    # first: 32 -> 31, 39 -> 31, -14, -15
    (AccumulatorMode.SATURATE, 1, 6, [-15, 3], 2),
    # first: 40 -> 31, 31 - 46 = -15
    (AccumulatorMode.SATURATE, 2, 6, [-15, 3], 1),
    (AccumulatorMode.SATURATE, 3, 6, [-6, 3], 0),
    (AccumulatorMode.SATURATE, 4, 6, [-6, 3], 0),
    # int5 is -16 .. 15; wrap: the total -6 and 3 whatever happens on the way
    # first: 32 -> 0, 8, -37 -> -5, -6; second: -15, -15, 0, 3
    (AccumulatorMode.WRAP, 1, 5, [-6, 3], 2),
    # int4 is -8 .. 7; first: 32 -> 7, 15 -> 7, -38 -> -8, -9 -> -8;
    # second: -15 -> -8, -8, 7, 10 -> 7
    (AccumulatorMode.SATURATE, 1, 4, [-8, 7], 6),
]  # fmt: skip


@pytest.mark.parametrize(("mode", "simd", "bits", "accumulators", "overflows"), BY_HAND)
def test_accumulators(mode, simd, bits, accumulators, overflows):
    result = run_linear(layer(mode, simd=simd, accumulator_bits=bits), X)
    assert result == LayerResult(accumulators, accumulators, overflows)


@pytest.mark.parametrize(
    ("relu", "zero_point", "overflow", "expected"),
    [
        # -6 * 3 / 4 = -4.5 -> -4; 3 * 5 / 4 = 3.75 -> 4
        (False, 0, Overflow.SATURATE, [-4, 4]),
        (False, -2, Overflow.SATURATE, [-4, 2]),
        (True, -2, Overflow.SATURATE, [-2, 2]),
        (True, 1, Overflow.SATURATE, [1, 3]),
        (False, -2, Overflow.WRAP, [2, 2]),
        (True, 1, Overflow.WRAP, [1, -3]),
    ],
)
def test_requantized(relu, zero_point, overflow, expected):
    tail = Tail(
        multiplier=np.array([3, 5]),
        multiplier_bits=3,
        shift=2,
        rounding=Rounding.TIES_POS,
        overflow=overflow,
        relu=relu,
    )
    fmt = IntFormat(bits=3, signed=True)
    expected = [min(v, fmt.max) for v in expected]
    fc = layer(
        AccumulatorMode.WIDE,
        accumulator_bits=8,
        tail=tail,
        output=Activation(format=fmt, scale=1.0, zero_point=zero_point),
    )
    result = run_linear(fc, X)
    assert result.accumulators == [-6, 3]
    assert result.activations == expected


def network(*layers):
    return QuantizedNetwork(
        name="net",
        data="none",
        inputs={INPUT: InputQuantizer(shape=(4,), activation=UINT4, rounding=Rounding.FLOOR)},
        layers=layers,
    )


def test_two_layers():
    tail = Tail(
        multiplier=np.array([1]),
        multiplier_bits=0,
        shift=1,
        rounding=Rounding.TIES_AWAY,
        overflow=Overflow.SATURATE,
    )
    hidden = Activation(format=IntFormat(bits=4, signed=True), scale=1.0)
    first = layer(AccumulatorMode.WIDE, accumulator_bits=8, tail=tail, output=hidden)
    second = layer(
        AccumulatorMode.SATURATE,
        accumulator_bits=4,
        name="last",
        weight=np.array([[3, 3], [-1, 2], [1, 0]]),
        bias=np.array([0, 1, 2]),
        input=hidden,
    )
    results = run(network(first, second), X)
    assert results[0] == LayerResult([-6, 3], [-3, 2], 0)
    # -9 -> -8, -2; 4, 8 -> 7; -1, -1
    assert results[1] == LayerResult([-2, 7, -1], [-2, 7, -1], 2)


def test_wrong_inputs():
    net = network(layer(AccumulatorMode.WIDE, accumulator_bits=8))
    with raises(RangeError, "input must have 4 values, not 3"):
        run(net, [1, 2, 3])
    with raises(RangeError, "input must be in uint4, not 16"):
        run(net, [1, 2, 3, 16])
    with raises(RangeError, "input must be in uint4, not -1"):
        run(net, [-1, 2, 3, 0])
    with pytest.raises(TypeError):
        run(net, [0.5, 2, 3, 0])
    run(net, [0, 15, 0, 15])


@unhurried
@given(st.data())
def test_equals_matrix_products_where_nothing_overflows(data):
    """Numpy integers of any width go in; the sums are those of numpy on Python integers."""
    net = data.draw(networks(max_layers=1, max_size=20))
    batch = data.draw(batches(net, 3))
    first = net.layers[0]
    wide = batch.astype(object) @ first.weight.astype(object).T + first.bias.astype(object)
    for row, expected in zip(batch.astype(np.int16), wide.tolist(), strict=True):
        (result,) = run(net, row)
        assert all(type(value) is int for value in result.accumulators + result.activations)
        if first.accumulator.mode is AccumulatorMode.WIDE or not result.overflows:
            assert result.overflows == 0
            assert result.accumulators == expected
        if first.accumulator.mode is AccumulatorMode.WRAP:
            modulus = 1 << first.accumulator.format.bits
            assert [(a - b) % modulus for a, b in zip(result.accumulators, expected, strict=True)]\
                == [0] * first.outputs  # fmt: skip


def test_narrow_numpy_integers_do_not_overflow():
    fmt = IntFormat(bits=8, signed=True)
    fc = layer(
        AccumulatorMode.WIDE,
        accumulator_bits=12,
        input=Activation(format=fmt, scale=1.0),
    )
    result = run_linear(fc, np.array([127, 127, -128, -128], dtype=np.int8))
    assert result.accumulators == [2 + 5 * 127 + 4 * 128, -5 - 127 - 4 * 128]
