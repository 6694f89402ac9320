"""What exists is consistent: every constraint of the network's constructors."""

from __future__ import annotations

import dataclasses
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxsim.arithmetic.codes import IntegerCode, PowerOfTwoCode, TernaryCode
from fxsim.arithmetic.formats import AccumulatorMode, IntFormat, Overflow, Rounding
from fxsim.errors import RangeError, SpecError
from fxsim.network import (
    Accumulator,
    Activation,
    Folding,
    InputQuantizer,
    QuantizedLinear,
    QuantizedNetwork,
    Tail,
    accumulator_bounds,
)
from tests.messages import raises
from tests.strategies import batches, linears, networks, unhurried

INT8 = IntFormat(bits=8, signed=True)
UINT4 = IntFormat(bits=4, signed=False)


def tail(**changes):
    values = {
        "multiplier": np.array([5]),
        "multiplier_bits": 3,
        "shift": 4,
        "rounding": Rounding.FLOOR,
        "overflow": Overflow.SATURATE,
    }
    return Tail(**(values | changes))


def linear(**changes):
    """Two outputs, three inputs; sums from -30 - 7 to 45 + 9 for inputs 0 to 15."""
    values = {
        "name": "fc",
        "weight": np.array([[1, -1, 0], [2, -1, 1]]),
        "code": IntegerCode(IntFormat(bits=3, signed=True, narrow=True)),
        "weight_scale": np.array([0.5]),
        "bias": np.array([-7, 9]),
        "input": Activation(format=UINT4, scale=0.25),
        "accumulator": Accumulator(format=INT8, mode=AccumulatorMode.WIDE),
        "tail": tail(),
        "output": Activation(format=UINT4, scale=1.0, zero_point=2),
        "folding": Folding(rows=1, simd=3),
    }
    return QuantizedLinear(**(values | changes))


def network(layers, **changes):
    values = {
        "name": "net",
        "data": "none",
        "inputs": {
            "input": InputQuantizer(
                shape=(3,), activation=Activation(format=UINT4, scale=0.25), rounding=Rounding.FLOOR
            )
        },
        "layers": tuple(layers),
    }
    return QuantizedNetwork(**(values | changes))


@pytest.mark.parametrize(
    ("changes", "idle"),
    [
        ({}, 2),
        ({"offset": np.array([33])}, 4),  # of all lanes: 33 / 16, from 2 on
        ({"offset": np.array([33, 33])}, 4),
        ({"offset": np.array([33, 34])}, 2),  # in a memory, where idle lanes have none
        ({"below": np.array([-99])}, 2),  # 0 is not below 0
        ({"clamp": (5, 9)}, 5),
        ({"offset": np.array([33, 34]), "clamp": (0, 1)}, 1),
    ],
)
def test_what_an_idle_lane_yields(changes, idle):
    assert linear(tail=tail(**changes)).idle == idle


def test_properties():
    layer = linear(folding=Folding(rows=2, simd=2, pad=True))
    assert (layer.outputs, layer.inputs, layer.tiles, layer.beats) == (2, 3, 1, 2)
    assert layer.code.multiplies
    assert linear(folding=Folding(rows=1, simd=1)).tiles == 2
    assert linear(code=PowerOfTwoCode(2)).weight_format == IntFormat.for_levels(5)
    assert network([layer]).output == layer.output


def test_tensors_are_frozen_copies():
    weight, bias, scale = np.ones((2, 3), dtype=np.int8), np.zeros(2, dtype=np.int16), np.ones(1)
    layer = linear(weight=weight, bias=bias, weight_scale=scale)
    weight[:], bias[:], scale[:] = 3, 3, 3
    assert layer.weight.tolist() == [[1, 1, 1], [1, 1, 1]]
    assert layer.bias.tolist() == [0, 0]
    assert layer.weight_scale.tolist() == [1.0]
    for tensor in (layer.weight, layer.bias, layer.weight_scale, layer.tail.multiplier):
        assert tensor.dtype in (np.int64, np.float64)
        with pytest.raises(ValueError, match="read-only"):
            tensor[...] = 0


def test_numpy_scalars_become_python_ones():
    activation = Activation(format=UINT4, scale=np.float64(0.5), zero_point=np.int8(3))
    assert (type(activation.scale), type(activation.zero_point)) == (float, int)
    assert type(Folding(rows=np.int64(2), simd=1).rows) is int
    assert type(tail(shift=np.uint8(2)).shift) is int


WIDE_INPUT = Activation(format=IntFormat(bits=62, signed=False), scale=1.0)
WRAP20 = Accumulator(format=IntFormat(bits=20, signed=True), mode=AccumulatorMode.WRAP)
LINEAR = [
    # shapes and dtypes
    ({"weight": np.array([1, 2])}, "weight must have 2 dimensions, not shape (2,)"),
    ({"weight": np.zeros((0, 3), dtype=int)}, "weight must have 2 dimensions, not shape (0, 3)"),
    ({"weight": np.ones((2, 3))}, "weight must hold integers, not float64"),
    ({"weight": np.ones((2, 3), dtype=bool)}, "weight must hold integers, not bool"),
    ({"bias": np.array([0.0, 1.0])}, "bias must hold integers, not float64"),
    ({"bias": np.array([1 << 63, 0], dtype=np.uint64)}, "bias must fit 64 signed bits"),
    ({"bias": np.array([1])}, "bias must have shape (2,), not (1,)"),
    ({"weight_scale": np.ones(3)}, "weight_scale must have shape (1,) or (2,), not (3,)"),
    ({"tail": tail(multiplier=np.array([1, 2, 3]))},
     "multiplier must have shape (1,) or (2,), not (3,)"),
    # ranges
    ({"weight": np.array([[1, -1, 0], [2, -4, 1]])}, "weight[1, 1] must be from -3 to 3, not -4"),
    ({"bias": np.array([0, 128])}, "bias[1] must be from -128 to 127, not 128"),
    ({"weight_scale": np.array([0.0])}, "weight_scale must be positive and finite"),
    ({"weight_scale": np.array([np.nan])}, "weight_scale must be positive and finite"),
    ({"weight_scale": np.array([1.0, np.inf])}, "weight_scale must be positive and finite"),
    # accumulators
    ({"accumulator": Accumulator(format=UINT4, mode=AccumulatorMode.WRAP)},
     "accumulator must be signed and not narrow, not uint4"),
    ({"accumulator": Accumulator(format=IntFormat(bits=8, signed=True, narrow=True),
     mode=AccumulatorMode.WRAP)}, "accumulator must be signed and not narrow, not int8n"),
    ({"accumulator": Accumulator(format=IntFormat(bits=6, signed=True),
     mode=AccumulatorMode.WIDE)}, "wide accumulator must hold -22 to 54, which int6 does not"),
    ({"input": WIDE_INPUT, "accumulator": WRAP20},
     "sums must fit 62 bits, but reach -4611686018427387910 to 13835058055282163718"),
    ({"accumulator": Accumulator(format=IntFormat(bits=60, signed=True),
     mode=AccumulatorMode.WIDE)},
     "accumulator bits plus multiplier bits must be at most 62, not 60 + 3"),
    # folding
    ({"folding": Folding(rows=1, simd=2)}, "simd must divide 3, not 2 (or pad)"),
    ({"folding": Folding(rows=3, simd=1)}, "rows must be at most 2, not 3"),
    ({"folding": Folding(rows=3, simd=1, pad=True)}, "rows must be at most 2, not 3"),
    # outputs
    ({"tail": None}, "output must be the accumulator itself without a requantizer"),
    ({"tail": None, "output": Activation(format=INT8, scale=1.0, zero_point=1)},
     "output must be the accumulator itself without a requantizer"),
    ({"tail": tail(overflow=Overflow.WRAP),
      "output": Activation(format=IntFormat(bits=4, signed=True, narrow=True), scale=1.0)},
     "a narrow output cannot wrap"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "message"), LINEAR, ids=range(len(LINEAR)))
def test_linear_errors(changes, message):
    with raises(RangeError, f"fc: {message}"):
        linear(**changes)


def test_linear_name():
    message = (
        "name must start with a letter and hold at most 63 letters, digits or underscores,"
        " not 'a;b'"
    )
    with raises(SpecError, message):
        linear(name="a;b")


def in_range(what, low, high, value):
    return f"{what} must be an integer from {low} to {high}, not {value!r}"


PARTS = [
    (lambda: Activation(format=UINT4, scale=0.0), "scale must be positive and finite, not 0.0"),
    (lambda: Activation(format=UINT4, scale=-1.0), "scale must be positive and finite, not -1.0"),
    (lambda: Activation(format=UINT4, scale=np.inf), "scale must be positive and finite, not inf"),
    (lambda: Activation(format=UINT4, scale=np.nan), "scale must be positive and finite, not nan"),
    (lambda: Activation(format=UINT4, scale=1.0, zero_point=16), in_range("zero_point", 0, 15, 16)),
    (lambda: Activation(format=INT8, scale=1.0, zero_point=0.0),
     in_range("zero_point", -128, 127, 0.0)),
    (lambda: Folding(rows=0, simd=1), in_range("rows", 1, 65536, 0)),
    (lambda: Folding(rows=1, simd=True), in_range("simd", 1, 65536, True)),
    (lambda: Folding(rows=1, simd=2.0), in_range("simd", 1, 65536, 2.0)),
    (lambda: Folding(rows=1, simd=1, pad=1), "pad must be true or false, not 1"),
    (lambda: Folding(rows=1, simd=1, dsp="x"), "dsp must be true or false, not 'x'"),
    (lambda: tail(shift=-1), in_range("shift", 0, 62, -1)),
    (lambda: tail(shift=63), in_range("shift", 0, 62, 63)),
    (lambda: tail(multiplier_bits=-1), in_range("multiplier_bits", 0, 62, -1)),
    (lambda: tail(multiplier_bits=10**12), in_range("multiplier_bits", 0, 62, 10**12)),
    (lambda: tail(relu=1), "relu must be true or false, not 1"),
    (lambda: tail(clamp=(3, 2)), "clamp must be two integers in order, not (3, 2)"),
    (lambda: tail(clamp=(0, 1.5)), "clamp must be two integers in order, not (0, 1.5)"),
    (lambda: tail(clamp=(0, 1), overflow=Overflow.WRAP),
     "clamp must be left out where outputs wrap"),
    (lambda: tail(below=np.array([1.0])), "below must hold integers, not float64"),
    (lambda: tail(offset=np.array([1 << 60]), below=np.array([1 << 60])),
     f"offset of sums below 0[0] must be from {-(1 << 61)} to {(1 << 61) - 1}, not {1 << 61}"),
    (lambda: tail(multiplier=np.array([1, 8])), "multiplier[1] must be from 0 to 7, not 8"),
    (lambda: tail(multiplier=np.array([-1])), "multiplier[0] must be from 0 to 7, not -1"),
    (lambda: tail(multiplier=np.array([0]), multiplier_bits=0),
     "multiplier[0] must be from 1 to 1, not 0"),
    (lambda: tail(multiplier=np.array([1.0])), "multiplier must hold integers, not float64"),
]  # fmt: skip


@pytest.mark.parametrize(("build", "message"), PARTS, ids=range(len(PARTS)))
def test_part_errors(build, message):
    with raises(RangeError, message):
        build()


@pytest.mark.parametrize("shape", [(), (0,), (-8, -8), (3.0,), ("x",), (True,)])
def test_input_shape(shape):
    with raises(RangeError, f"shape must hold positive integers, not {shape}"):
        InputQuantizer(
            shape=shape, activation=Activation(format=UINT4, scale=1.0), rounding=Rounding.FLOOR
        )


RAW = {"tail": None, "output": Activation(format=INT8, scale=1.0)}


def test_network_errors():
    first = linear()
    with raises(RangeError, "a network must have at least one layer"):
        network([])
    with raises(RangeError, "data must be text, not None"):
        network([first], data=None)
    with raises(SpecError, "name must not be the keyword 'wire' of Verilog or VHDL"):
        network([first], name="wire")
    with raises(RangeError, "names of inputs and layers must be unique, not ['input', 'fc', 'fc']"):
        network([first, linear(name="FC")])
    message = (
        f"b: what it takes from 'fc' must be 2 values of {first.output}, not 3 of {first.input}"
    )
    with raises(RangeError, message):
        network([first, linear(name="b")])
    other = Activation(format=UINT4, scale=0.5)
    message = f"fc: what it takes from 'input' must be 3 values of {first.input}, not 3 of {other}"
    with raises(RangeError, message):
        network([linear(input=other)])
    raw = linear(**RAW)
    after = linear(
        name="b",
        weight=np.ones((1, 2), dtype=int),
        bias=np.zeros(1, dtype=int),
        input=raw.output,
        accumulator=WRAP20,
        folding=Folding(rows=1, simd=1),
    )
    with raises(RangeError, "fc: 'b' follows, so it must have a requantizer"):
        network([raw, after])
    network([raw])


def test_62_bits():
    """The limit is reached and not passed."""
    fmt = IntFormat(bits=62, signed=True)
    accumulator = Accumulator(format=fmt, mode=AccumulatorMode.WRAP)
    output = Activation(format=fmt, scale=1.0)
    common = {
        "code": TernaryCode(),
        "input": Activation(format=fmt, scale=1.0),
        "accumulator": accumulator,
        "tail": None,
        "output": output,
        "folding": Folding(rows=1, simd=1),
    }
    layer = linear(weight=np.array([[1]]), bias=np.array([0]), **common)
    assert accumulator_bounds(layer.weight, layer.bias, fmt) == (fmt.min, fmt.max)
    plain = tail(multiplier=np.array([1]), multiplier_bits=0, shift=62)
    linear(weight=np.array([[1]]), bias=np.array([0]), **(common | {"tail": plain}))
    for weight, bias, reach in (
        (-1, 0, "-2305843009213693951 to 2305843009213693952"),
        (1, 1, "-2305843009213693951 to 2305843009213693952"),
    ):
        with raises(RangeError, f"fc: sums must fit 62 bits, but reach {reach}"):
            linear(weight=np.array([[weight]]), bias=np.array([bias]), **common)


@unhurried
@given(
    weights=st.lists(st.lists(st.integers(-3, 3), min_size=2, max_size=2), min_size=1, max_size=2),
    bias=st.integers(-9, 9),
    signed=st.booleans(),
    bits=st.integers(1, 3),
)
def test_bounds_are_reached(weights, bias, signed, bits):
    """Every input vector, every partial sum: the bounds hold and are the least ones."""
    fmt = IntFormat(bits=bits, signed=signed)
    biases = [bias + m for m in range(len(weights))]
    sums = {
        start + sum(w * x for w, x in zip(row[:end], vector, strict=False))
        for row, start in zip(weights, biases, strict=True)
        for vector in product(range(fmt.min, fmt.max + 1), repeat=2)
        for end in range(3)
    }
    bounds = accumulator_bounds(np.array(weights), np.array(biases), fmt)
    assert bounds == (min(sums), max(sums))


@unhurried
@given(linears())
def test_a_narrower_wide_accumulator_is_refused(layer):
    low, high = accumulator_bounds(layer.weight, layer.bias, layer.input.format)
    needed = IntFormat.spanning(low, high, signed=True)
    accumulator = Accumulator(format=needed, mode=AccumulatorMode.WIDE)
    changes = {"accumulator": accumulator}
    if layer.tail is None:
        changes["output"] = Activation(format=needed, scale=1.0)
    dataclasses.replace(layer, **changes)
    if needed.bits > 1 and layer.bias.max() < 1 << (needed.bits - 2) > -layer.bias.min():
        fmt = IntFormat(bits=needed.bits - 1, signed=True)
        changes["accumulator"] = Accumulator(format=fmt, mode=AccumulatorMode.WIDE)
        message = f"layer0: wide accumulator must hold {low} to {high}, which {fmt} does not"
        with raises(RangeError, message):
            dataclasses.replace(layer, **changes)


@unhurried
@given(st.data())
def test_drawn_batches_are_in_range(data):
    net = data.draw(networks())
    batch = data.draw(batches(net, 6))
    fmt = net.input.activation.format
    assert batch.shape == (6, *net.input.shape)
    assert batch.dtype == np.int64
    assert batch.min() == fmt.min
    assert batch.max() == fmt.max
