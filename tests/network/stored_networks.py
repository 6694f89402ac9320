"""A small network to save, and equality of networks without the hash."""

from __future__ import annotations

import dataclasses

import numpy as np

from fxsim.arithmetic.codes import code_of
from fxsim.arithmetic.formats import AccumulatorMode, IntFormat, Overflow, Rounding
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

SOURCE = Activation(format=IntFormat(bits=4, signed=False), scale=0.1)
HIDDEN = Activation(format=IntFormat(bits=4, signed=False), scale=1e-05, zero_point=2)


def linear(name, outputs, inputs, **changes):
    values = {
        "name": name,
        "weight": np.arange(outputs * inputs).reshape(outputs, inputs) % 7 - 3,
        "code": code_of(IntFormat.for_levels(7)),
        "weight_scale": np.array([0.3]),
        "bias": np.arange(outputs) * 100 - 50,
        "input": SOURCE,
        "accumulator": Accumulator(
            format=IntFormat(bits=12, signed=True), mode=AccumulatorMode.SATURATE
        ),
        "tail": None,
        "output": Activation(format=IntFormat(bits=12, signed=True), scale=0.5),
        "folding": Folding(rows=1, simd=1),
    }
    return QuantizedLinear(**(values | changes))


def small_network():
    """Two layers, one with and one without a requantizer."""
    tail = Tail(
        multiplier=np.array([9, 200, 255, 1]),
        multiplier_bits=8,
        shift=9,
        rounding=Rounding.TIES_EVEN,
        overflow=Overflow.SATURATE,
        relu=True,
    )
    first = linear("first", 4, 3, tail=tail, output=HIDDEN)
    return QuantizedNetwork(
        name="net",
        data="1e3",  # text that looks like a number
        inputs={INPUT: InputQuantizer(shape=(3,), activation=SOURCE, rounding=Rounding.TIES_AWAY)},
        layers=(first, linear("second", 2, 4, input=HIDDEN)),
    )


def assert_equal(one, other):
    """Field by field, so that a bug in the hash or the manifest cannot hide."""
    for field in dataclasses.fields(one):
        a, b = getattr(one, field.name), getattr(other, field.name)
        assert type(a) is type(b), field.name
        if isinstance(a, np.ndarray):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)
        elif field.name == "layers":
            assert len(a) == len(b)
            for left, right in zip(a, b, strict=True):
                assert_equal(left, right)
        elif dataclasses.is_dataclass(a):
            assert_equal(a, b)
        else:
            assert a == b, field.name
