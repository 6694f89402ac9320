"""Convolution and pooling: the simulator, the reference, torch and sums by hand agree."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fxsim import reference
from fxsim.arithmetic.codes import IntegerCode
from fxsim.arithmetic.formats import AccumulatorMode, IntFormat, Overflow, Rounding
from fxsim.errors import RangeError
from fxsim.network import (
    INPUT,
    Accumulator,
    Activation,
    Folding,
    InputQuantizer,
    MaxPool,
    QuantizedConvolution,
    QuantizedLinear,
    QuantizedNetwork,
    Tail,
    Windows,
)
from fxsim.network.storage import load_network, network_hash, save_network
from fxsim.simulator.inputs import as_input
from fxsim.simulator.simulator import (
    simulate,
    simulate_ranges,
    simulate_trace,
    trace_layer,
)
from tests.image_strategies import geometry, image_networks
from tests.messages import raises
from tests.strategies import batches

QUIET = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks so small that even these images take several."""
    for module in ("fxsim.simulator.simulator", "fxsim.simulator.convolution"):
        monkeypatch.setattr(f"{module}.BLOCK", 40)


UINT8 = Activation(format=IntFormat(bits=8, signed=False), scale=1.0)


def convolution(weight, where, *, source=UINT8, bias=None, folding=Folding(rows=1, simd=1)):  # noqa: B008
    """Raw accumulators of 30 bits."""
    weight = np.asarray(weight)
    fmt = IntFormat(bits=30, signed=True)
    return QuantizedConvolution(
        product=QuantizedLinear(
            name="conv",
            weight=weight,
            code=IntegerCode(IntFormat(bits=8, signed=True, narrow=True)),
            weight_scale=np.ones(1),
            bias=np.zeros(len(weight), np.int64) if bias is None else np.asarray(bias),
            input=source,
            accumulator=Accumulator(format=fmt, mode=AccumulatorMode.WIDE),
            tail=None,
            output=Activation(format=fmt, scale=1.0),
            folding=folding,
        ),
        windows=where,
    )


def test_by_hand():
    # A 2 x 3 image of 2 channels: pixel by pixel, the channels of each together.
    image = [1, 10, 2, 20, 3, 30, 4, 40, 5, 50, 6, 60]
    where = Windows(channels=2, height=2, width=3, kernel=(2, 2))
    weight = [[1, 0, 0, 0, 0, 0, 0, 1], [0, 1, 2, 0, 0, 0, 0, 0]]
    layer = convolution(weight, where, bias=[0, 100])
    # Windows: pixels 1 2 4 5 and 2 3 5 6.
    expected = [1 + 50, 10 + 2 * 2 + 100, 2 + 60, 20 + 2 * 3 + 100]
    assert reference.run_convolution(layer, image).accumulators == expected
    assert trace_layer(layer, np.array([image])).accumulators.tolist() == [expected]


def test_padding_is_the_zero_point():
    source = replace(UINT8, zero_point=7)
    where = Windows(channels=1, height=2, width=2, kernel=(3, 3), padding=1, stride=2)
    layer = convolution([[1] * 9], where, source=source)
    assert reference.run_convolution(layer, [1, 2, 3, 4]).accumulators == [10 + 5 * 7]


def test_groups_see_their_channels():
    where = Windows(channels=2, height=1, width=2, kernel=(1, 2), groups=2)
    layer = convolution([[1, 2], [3, 4]], where)
    assert reference.run_convolution(layer, [1, 10, 2, 20]).accumulators == [1 + 4, 30 + 80]


@pytest.mark.parametrize("padding", [0, 1])
def test_max_pool_by_hand(padding):
    source = Activation(format=IntFormat(bits=8, signed=True), scale=1.0)
    where = Windows(channels=1, height=3, width=3, kernel=(3, 3), stride=2, padding=padding)
    image = [-9, -8, -7, -6, -5, -4, -3, -2, -1]
    expected = [-5, -4, -2, -1] if padding else [-1]
    layer = MaxPool(name="pool", input=source, windows=where)
    assert reference.run_max_pool(layer, image).activations == expected


@QUIET
@given(data=st.data())
def test_simulator_equals_reference(data):
    network = data.draw(image_networks())
    batch = data.draw(batches(network, 3))
    trace = simulate_trace(network, batch)
    for k, image in enumerate(batch.tolist()):
        results = reference.run(network, image)
        for seen, expected in zip(trace.layers, results, strict=True):
            assert seen.activations[k].tolist() == expected.activations
            if seen.linears:
                assert seen.accumulators[k].tolist() == expected.accumulators
    overflows = sum(
        result.overflows for x in batch.tolist() for result in reference.run(network, x)
    )
    assert sum(seen.counts["overflows"] for seen in trace.linears) == overflows
    np.testing.assert_array_equal(simulate(network, batch), trace.output)


@settings(QUIET, max_examples=20)
@given(data=st.data())
def test_ranges_are_those_of_the_whole_tensors(data, small_blocks):
    network = data.draw(image_networks())
    batch = data.draw(batches(network, 5))
    whole, short = simulate_trace(network, batch), simulate_ranges(network, batch)
    np.testing.assert_array_equal(short.output, whole.output)
    for seen, expected in zip(short.linears, whole.linears, strict=True):
        assert seen.accumulator_range == expected.accumulator_range
        assert seen.activation_range == expected.activation_range
        assert seen.counts == expected.counts


@QUIET
@given(data=st.data())
def test_saved_networks_come_back(data, tmp_path_factory):
    network = data.draw(image_networks())
    folder = tmp_path_factory.mktemp("network")
    save_network(network, folder)
    assert network_hash(load_network(folder)) == network_hash(network)


@QUIET
@given(data=st.data())
def test_sums_equal_those_of_torch(data):
    """With a wide accumulator and no requantizer the layer is torch's convolution of x - zero."""
    channels, groups = data.draw(st.sampled_from([(1, 1), (4, 1), (4, 2), (6, 6)]))
    tall, wide = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))
    side = data.draw(st.integers(max(tall, wide), 8))
    stride, padding = data.draw(geometry(tall, wide))
    where = Windows(
        channels=channels,
        height=side,
        width=side + 1,
        kernel=(tall, wide),
        stride=stride,
        padding=padding,
        groups=groups,
    )
    zero, count = data.draw(st.integers(0, 255)), 12
    generator = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    weight = generator.integers(-127, 128, (count, where.size))
    bias = -zero * weight.sum(axis=1)
    layer = convolution(weight, where, source=replace(UINT8, zero_point=zero), bias=bias)
    x = generator.integers(0, 256, (2, channels, side, side + 1))
    top, left, bottom, right = padding
    framed = np.pad(x - zero, ((0, 0), (0, 0), (top, bottom), (left, right)))
    expected = torch.nn.functional.conv2d(
        torch.from_numpy(framed.astype(np.float64)),
        torch.from_numpy(
            weight.reshape(count, tall, wide, -1).transpose(0, 3, 1, 2).astype(np.float64)
        ),
        stride=where.stride,
        groups=groups,
    ).numpy()
    network = QuantizedNetwork(
        name="net",
        data="none",
        inputs={
            INPUT: InputQuantizer(
                shape=where.shape, activation=layer.input, rounding=Rounding.FLOOR
            )
        },
        layers=(layer,),
    )
    seen = simulate(network, x).reshape(2, where.rows, where.columns, count)
    np.testing.assert_array_equal(seen.transpose(0, 3, 1, 2), expected.astype(np.int64))


def test_samples_become_pixels():
    where = Windows(channels=2, height=1, width=3, kernel=(1, 1))
    network = QuantizedNetwork(
        name="net",
        data="none",
        inputs={INPUT: InputQuantizer(shape=(2, 1, 3), activation=UINT8, rounding=Rounding.FLOOR)},
        layers=(convolution([[1, 0]], where),),
    )
    sample = np.array([[[1, 2, 3]], [[10, 20, 30]]])
    expected = [[1, 10, 2, 20, 3, 30]]
    assert as_input(network, sample[None]).tolist() == expected
    assert as_input(network, sample[None].astype(float)).tolist() == expected
    assert as_input(network, np.array(expected)).tolist() == expected


W = Windows(channels=2, height=4, width=4, kernel=(3, 3))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kernel": (5, 3)}, "kernel must be at most 4, the padded height, not 5"),
        ({"kernel": (3, 5)}, "kernel must be at most 4, the padded width, not 5"),
        ({"kernel": (0, 3)}, "kernel must be two positive integers, not (0, 3)"),
        ({"padding": 3}, "padding must be less than the kernel, 3, not 3 (top)"),
        ({"padding": (0, 1, 2, 7)}, "padding must be less than the kernel, 3, not 7 (right)"),
        ({"padding": -1}, "padding must be one or four integers that are not negative, not -1"),
        ({"stride": 0}, "stride must be one or two positive integers, not 0"),
        ({"stride": (1, 2, 3)}, "stride must be one or two positive integers, not (1, 2, 3)"),
        ({"channels": 3, "groups": 2}, "groups must divide 3 channels, not 2"),
    ],
)
def test_windows_that_do_not_fit(change, message):
    with raises(RangeError, message):
        replace(W, **change)


@pytest.mark.parametrize(
    ("weight", "where", "folding", "message"),
    [
        (np.ones((2, 9)), W, (1, 1), "weight must have 18 columns, the size of a window, not 9"),
        (
            np.ones((3, 9)),
            replace(W, groups=2),
            (1, 1),
            "groups must divide 3 output channels, not 2",
        ),
        (
            np.ones((4, 9)),
            replace(W, groups=2),
            (4, 1),
            "rows must divide 2, the output channels of a group, not 4",
        ),
        (np.ones((4, 18)), W, (4, 9), "simd must be one of [1, 2, 6, 18], not 9"),
    ],
)
def test_convolutions_that_do_not_fit(weight, where, folding, message):
    rows, simd = folding
    with raises(RangeError, f"conv: {message}"):
        convolution(weight.astype(np.int64), where, folding=Folding(rows=rows, simd=simd))


def test_overflow_happens_beat_by_beat():
    """A saturating accumulator sees the beats of a window in the hardware's order."""
    where = Windows(channels=1, height=1, width=3, kernel=(1, 3))
    fmt = IntFormat(bits=8, signed=True)
    results = []
    for simd in (1, 3):
        layer = convolution([[1, 1, -1]], where)
        product = replace(
            layer.product,
            accumulator=Accumulator(format=fmt, mode=AccumulatorMode.SATURATE),
            tail=Tail(
                multiplier=np.ones(1, np.int64),
                multiplier_bits=0,
                shift=0,
                rounding=Rounding.FLOOR,
                overflow=Overflow.SATURATE,
            ),
            output=Activation(format=fmt, scale=1.0),
            folding=Folding(rows=1, simd=simd),
        )
        trace = trace_layer(replace(layer, product=product), np.array([[100, 90, 100]]))
        results.append((trace.activations.tolist(), trace.counts["overflows"]))
    assert results == [([[27]], 1), ([[90]], 0)]
