"""Adds and argmax: simulator, reference and sums by hand agree; errors say what does not fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fxsim import reference
from fxsim.arithmetic.formats import IntFormat, Overflow, Rounding
from fxsim.errors import RangeError
from fxsim.network import Activation, Argmax, QuantizedAdd, Tail, add_bounds
from fxsim.network.storage import load_network, network_hash, save_network
from fxsim.simulator import add, argmax
from fxsim.simulator.simulator import simulate, simulate_ranges, simulate_trace
from fxsim.testbenches.cases.samples import residual
from tests.messages import raises
from tests.residual_strategies import adds, residual_networks
from tests.strategies import activations, batches

QUIET = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))

INT8 = Activation(format=IntFormat(bits=8, signed=True), scale=1.0)
UINT8 = Activation(format=IntFormat(bits=8, signed=False), scale=0.5, zero_point=10)

ADD = QuantizedAdd(
    name="add",
    shape=(3,),
    summands=(INT8, UINT8),
    tail=Tail(
        multiplier=np.array([6, 3]),
        multiplier_bits=4,
        shift=2,
        rounding=Rounding.TIES_AWAY,
        overflow=Overflow.SATURATE,
    ),
    accumulator=IntFormat(bits=12, signed=True),
    output=replace(INT8, scale=2 / 3, zero_point=-3),
)
RELU = replace(ADD, tail=replace(ADD.tail, relu=True))


@pytest.mark.parametrize("layer", [ADD, RELU], ids=["plain", "relu"])
def test_by_hand(layer):
    x, y = [-20, 1, 100], [0, 11, 255]
    sums = [6 * -20 + 3 * -10, 6 * 1 + 3 * 1, 6 * 100 + 3 * 245]
    assert sums == [-150, 9, 1335]
    # -37.5 goes away from zero, 2.25 to 2, 333.75 to 334; then the zero point of -3.
    expected = [0 - 3 if layer.tail.relu else -38 - 3, 2 - 3, 127]
    result = reference.run_add(layer, x, y)
    assert (result.accumulators, result.activations) == (sums, expected)
    trace = add.trace(layer, np.array([x]), np.array([y]))
    assert (trace.accumulators.tolist(), trace.activations.tolist()) == ([sums], [expected])
    assert trace.counts["clipped"] == 1
    least = min(expected)
    assert (trace.accumulator_range, trace.activation_range) == ((-150, 1335), (least, 127))


def test_the_real_sum_is_met():
    """Ratios of scales are 6 / 4 and 3 / 4: the output is the real sum in units of 2 / 3."""
    generator = np.random.default_rng(1)
    x, y = generator.integers(-20, 21, (2, 50, 3))
    y = y + 30
    seen = add.trace(ADD, x, y).activations
    real = 1.0 * x + 0.5 * (y - 10)
    np.testing.assert_array_less(np.abs((seen + 3) * (2 / 3) - real), 1 / 3 + 1e-9)


@QUIET
@given(data=st.data())
def test_bounds_are_reached_and_never_passed(data):
    source, other = data.draw(activations()), data.draw(activations())
    layer = data.draw(adds(summands=(source, other), shape=(1,)))
    low, high = add_bounds(layer.multipliers, (source, other))
    sums = [
        reference.run_add(layer, [x], [y]).accumulators[0]
        for x in (source.format.min, source.zero_point, source.format.max)
        for y in (other.format.min, other.zero_point, other.format.max)
    ]
    assert (min(sums), max(sums)) == (low, high)
    first, second = layer.multipliers
    corner = first * source.format.max + second * other.format.max + layer.bias
    assert corner == high


@QUIET
@given(data=st.data())
def test_simulator_equals_reference(data):
    network = data.draw(residual_networks())
    batch = data.draw(batches(network, 3))
    trace = simulate_trace(network, batch)
    for k, vector in enumerate(batch.tolist()):
        results = reference.run(network, vector)
        for layer, seen, expected in zip(network.layers, trace.layers, results, strict=True):
            assert seen.activations[k].tolist() == expected.activations, layer.name
            if "accumulators" in seen.tensors:
                assert seen.accumulators[k].tolist() == expected.accumulators, layer.name
    np.testing.assert_array_equal(simulate(network, batch), trace.output)
    short = simulate_ranges(network, batch)
    np.testing.assert_array_equal(short.output, trace.output)
    for layer in network.adds:
        seen, expected = short[layer.name], trace[layer.name]
        assert seen.accumulator_range == expected.accumulator_range
        assert seen.counts == expected.counts


@QUIET
@given(data=st.data())
def test_saved_networks_come_back(data, tmp_path_factory):
    network = data.draw(residual_networks())
    folder = tmp_path_factory.mktemp("network")
    save_network(network, folder)
    assert network_hash(load_network(folder)) == network_hash(network)


@pytest.mark.parametrize(
    ("values", "place"),
    [([3, 3, 3], 0), ([1, 3, 3], 1), ([-5, -9, -5], 0), ([0, 0, 1], 2), ([7, 7, 8, 8], 2)],
)
def test_the_lowest_of_equals_wins(values, place):
    layer = Argmax(name="answer", input=INT8, items=len(values))
    assert reference.run_argmax(layer, values).activations == [place]
    assert argmax.run(layer, np.array([values])).tolist() == [[place]]


@pytest.mark.parametrize(("items", "bits"), [(2, 1), (3, 2), (4, 2), (5, 3), (10, 4), (16, 4)])
def test_an_index_takes_as_many_bits_as_it_needs(items, bits):
    output = Argmax(name="answer", input=INT8, items=items).output
    assert (str(output.format), output.scale, output.zero_point) == (f"uint{bits}", 1.0, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape": (3, 3)}, "shape must be 1 or 3 positive integers, not (3, 3)"),
        ({"lanes": 2}, "lanes must divide 3 items, not 2"),
        ({"shape": (3, 2, 2), "lanes": 2}, "lanes must divide 3 channels, not 2"),
        ({"summands": (INT8,)}, "summands must be at least 2, not 1"),
        (
            {"tail": replace(ADD.tail, multiplier=np.array([6]))},
            "multiplier must have shape (2,), not (1,)",
        ),
        (
            {"tail": replace(ADD.tail, multiplier_bits=54)},
            "input bits plus multiplier bits must be at most 61, not 8 + 54",
        ),
        (
            {"accumulator": IntFormat(bits=11, signed=True)},
            "accumulator must hold -798 to 1497, which int11 does not",
        ),
        (
            {"accumulator": IntFormat(bits=20, signed=False)},
            "accumulator must be signed and not narrow, not uint20",
        ),
        (
            {
                "tail": replace(ADD.tail, overflow=Overflow.WRAP),
                "output": Activation(format=IntFormat(bits=8, signed=True, narrow=True), scale=1.0),
            },
            "a narrow output cannot wrap",
        ),
    ],
)
def test_adds_that_do_not_fit(change, message):
    with raises(RangeError, f"add: {message}"):
        replace(ADD, **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"items": 1}, "items must be an integer from 2 to 1073741824, not 1"),
        ({"items": 10, "lanes": 4}, "lanes must divide 10 items, not 4"),
    ],
)
def test_argmax_that_does_not_fit(change, message):
    with raises(RangeError, f"answer: {message}"):
        Argmax(**{"name": "answer", "input": INT8, "items": 4} | change)


def with_add(**change):
    """A network of which one add is changed."""
    network = residual()
    return replace(
        network,
        layers=tuple(replace(layer, **change) if layer.adds else layer for layer in network.layers),
    )


def test_a_source_of_another_format():
    with pytest.raises(RangeError) as raised:
        with_add(summands=(INT8, INT8))
    start = "sum: what it takes from 'third' must be 72 values of Activation(format=IntFormat(bits="
    assert str(raised.value).startswith(start)


def test_an_argmax_ends_a_network():
    network = residual()
    answer = Argmax(name="early", input=network.layers[0].input, items=36)
    with raises(RangeError, "early: the index of a class must be an output only"):
        replace(network, layers=(answer, *network.layers))
