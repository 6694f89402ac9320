"""Concat, resize and rescale: simulator, reference and numpy agree; errors say what is wrong."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxsim import reference
from fxsim.arithmetic.formats import IntFormat, Overflow, Rounding
from fxsim.errors import RangeError
from fxsim.network import Activation, Concat, Rescale, Resize, Tail
from fxsim.network.manifest import build, describe, tensors_of
from fxsim.reference.concat import run_concat
from fxsim.reference.rescale import run_rescale
from fxsim.reference.resize import run_resize
from fxsim.simulator import concat, rescale, resize
from fxsim.simulator.simulator import simulate_trace
from tests.messages import raises
from tests.shape_strategies import mixed_networks, rescales
from tests.strategies import activations, batches, unhurried

INT8 = Activation(format=IntFormat(bits=8, signed=True), scale=1.0)
UINT8 = Activation(format=IntFormat(bits=8, signed=False), scale=0.5, zero_point=10)

CONCAT = Concat(name="layer", shapes=((2, 1, 2), (1, 1, 2)), input=INT8)
RESIZE = Resize(name="layer", shape=(2, 1, 2), factors=(2, 3), input=INT8)
RESCALE = Rescale(
    name="layer",
    shape=(2, 1, 2),
    input=UINT8,
    tail=Tail(
        multiplier=np.array([3, 5]),
        multiplier_bits=3,
        shift=2,
        offset=np.array([0, -8]),
        rounding=Rounding.TIES_AWAY,
        overflow=Overflow.SATURATE,
    ),
    output=replace(INT8, zero_point=-3),
)


def test_channels_stand_side_by_side():
    """Two pixels: two channels of the first operand, then one of the second."""
    first, second = [1, 2, 3, 4], [-1, -2]
    assert run_concat(CONCAT, first, second).activations == [1, 2, -1, 3, 4, -2]
    assert CONCAT.shape_out == (3, 1, 2)


def test_vectors_stand_one_after_the_other():
    layer = Concat(name="layer", shapes=((2,), (3,), (1,)), input=INT8)
    assert run_concat(layer, [1, 2], [3, 4, 5], [6]).activations == [1, 2, 3, 4, 5, 6]
    assert layer.shape_out == (6,)


def test_pixels_become_blocks():
    """Two pixels of two channels, each thrice in a row of which there are two."""
    row = [1, 2] * 3 + [3, 4] * 3
    assert run_resize(RESIZE, [1, 2, 3, 4]).activations == 2 * row
    assert RESIZE.shape_out == (2, 2, 6)


def test_each_channel_has_its_constants():
    """3/4 (x - 10), and 5/4 (x - 10) - 2, to nearest and ties away, in steps from -3."""
    real = [Fraction(3, 4) * 10, Fraction(5, 4) * 2 - 2, Fraction(-3, 4) * 10, Fraction(5, 4) * 190]
    assert real[:3] == [Fraction(15, 2), Fraction(1, 2), Fraction(-15, 2)]
    result = run_rescale(RESCALE, [20, 12, 0, 200])
    assert result.accumulators == [10, 2, -10, 190]
    assert result.activations == [8 - 3, 1 - 3, -8 - 3, 127]
    trace = rescale.trace(RESCALE, np.array([[20, 12, 0, 200]]))
    assert trace.activations.tolist() == [result.activations]
    assert trace.counts == {"clipped": 1}
    assert trace.activation_range == (-11, 127)


def test_relu_acts_before_the_zero_point():
    layer = replace(RESCALE, tail=replace(RESCALE.tail, relu=True))
    assert run_rescale(layer, [0, 0, 20, 0]).activations == [-3, -3, 5, -3]


@unhurried
@given(data=st.data())
def test_the_zero_point_is_in_the_offset(data):
    layer = data.draw(rescales(source=data.draw(activations()), shape=(data.draw(_SIZES),)))
    fmt, folded = layer.input.format, layer.folded
    for x in (fmt.min, layer.input.zero_point, fmt.max):
        multiplier, offset = layer.tail.multiplier, layer.tail.offset
        np.testing.assert_array_equal(
            multiplier * (x - layer.input.zero_point) + offset,
            folded.multiplier * x + folded.offset,
        )


_SIZES = st.integers(1, 5)


@unhurried
@given(data=st.data())
def test_simulator_equals_reference(data):
    shape = tuple(data.draw(_SIZES) for _ in range(3))
    source = data.draw(activations())
    generator = np.random.default_rng(data.draw(st.integers(0, 1 << 30)))

    def batch(shape):
        limits = source.format.min, source.format.max
        return generator.integers(*limits, (3, int(np.prod(shape))), endpoint=True)

    x, others = batch(shape), [(data.draw(_SIZES), *shape[1:]) for _ in range(data.draw(_SIZES))]
    ys = [batch(other) for other in others]
    joined = Concat(name="layer", shapes=(shape, *others), input=source)
    larger = Resize(
        name="layer", shape=shape, factors=(data.draw(_SIZES), 1 + data.draw(_SIZES)), input=source
    )
    rescaled = data.draw(rescales(source=source, shape=shape))
    for layer, driver, oracle, operands in (
        (joined, concat, run_concat, (x, *ys)),
        (larger, resize, run_resize, (x,)),
        (rescaled, rescale, run_rescale, (x,)),
    ):
        rows = zip(*(operand.tolist() for operand in operands), strict=True)
        expected = [oracle(layer, *row).activations for row in rows]
        assert driver.run(layer, *operands).tolist() == expected
        assert driver.trace(layer, *operands).activations.tolist() == expected
        assert len(expected[0]) == layer.outputs == np.prod(layer.shape_out)
        assert driver.run(layer, *(operand[:0] for operand in operands)).shape == (0, layer.outputs)


def test_the_widest_constants_do_not_overflow():
    """Word lengths of 61 bits in all, offsets at their limits."""
    fmt = IntFormat(bits=30, signed=True)
    layer = replace(
        RESCALE,
        shape=(3,),
        input=Activation(format=fmt, scale=1.0, zero_point=fmt.min),
        tail=replace(
            RESCALE.tail,
            multiplier=np.array([(1 << 31) - 1, 0, (1 << 31) - 1]),
            multiplier_bits=31,
            offset=np.array([-(1 << 61), (1 << 61) - 1, -(1 << 60)]),
            shift=61,
        ),
    )
    for x in (fmt.min, 0, fmt.max):
        found = rescale.run(layer, np.array([[x] * 3])).tolist()
        assert found == [run_rescale(layer, [x] * 3).activations]


@unhurried
@given(data=st.data())
def test_networks_of_all_kinds(data):
    network = data.draw(mixed_networks(depths=False))
    batch = data.draw(batches(network, 3))
    trace = simulate_trace(network, batch)
    for k, vector in enumerate(batch.tolist()):
        results = reference.run(network, vector)
        for layer, seen, expected in zip(network.layers, trace.layers, results, strict=True):
            assert seen.activations[k].tolist() == expected.activations, layer.name
    again = build(describe(network), tensors_of(network))
    assert describe(again) == describe(network)


@pytest.mark.parametrize(
    ("layer", "change", "message"),
    [
        (CONCAT, {"shapes": ((2,),)}, "shapes must be of at least 2 operands, not 1"),
        (
            CONCAT,
            {"shapes": ((2, 2), (1, 2))},
            "shapes must be 1 or 3 positive integers, not (2, 2)",
        ),
        (
            CONCAT,
            {"shapes": ((2, 1, 2), (2, 2, 1))},
            "shapes must differ in channels or items only, not (2, 1, 2) and (2, 2, 1)",
        ),
        (
            CONCAT,
            {"shapes": ((2, 1, 2), (4,))},
            "shapes must differ in channels or items only, not (2, 1, 2) and (4,)",
        ),
        (CONCAT, {"lanes": 2}, "lanes must divide 1 channels, not 2"),
        (RESIZE, {"shape": (4,)}, "shape must be (channels, height, width), not (4,)"),
        (
            RESIZE,
            {"factors": (1, 1)},
            "factors must be 2 integers from 1 to 1024, not both 1, not (1, 1)",
        ),
        (
            RESIZE,
            {"factors": (2, 1025)},
            "factors must be 2 integers from 1 to 1024, not both 1, not (2, 1025)",
        ),
        (RESIZE, {"lanes": 4}, "lanes must divide 2 channels, not 4"),
        (RESIZE, {"lanes": 0}, "lanes must be an integer from 1 to 65536, not 0"),
        (RESCALE, {"shape": (3,)}, "multiplier must have shape (1,) or (3,), not (2,)"),
        (RESCALE, {"shape": (2, 2)}, "shape must be 1 or 3 positive integers, not (2, 2)"),
        (RESCALE, {"lanes": 3}, "lanes must divide 2 channels, not 3"),
        (
            RESCALE,
            {"tail": replace(RESCALE.tail, multiplier_bits=54)},
            "input bits plus multiplier bits must be at most 61, not 8 + 54",
        ),
        (
            RESCALE,
            {
                "tail": replace(
                    RESCALE.tail, offset=np.array([0, -(1 << 61)]), overflow=Overflow.WRAP
                )
            },
            (
                "offset[1] must be from -2305843009213693952 to 2305843009213693951,"
                " not -2305843009213694002"
            ),
        ),
        (
            RESCALE,
            {
                "tail": replace(RESCALE.tail, overflow=Overflow.WRAP),
                "output": Activation(format=IntFormat(bits=8, signed=True, narrow=True), scale=1.0),
            },
            "a narrow output cannot wrap",
        ),
    ],
)
def test_layers_that_do_not_fit(layer, change, message):
    with raises(RangeError, f"layer: {message}"):
        replace(layer, **change)
