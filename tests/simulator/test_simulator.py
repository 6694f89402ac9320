"""The numba simulator equals the reference interpreter, integer for integer."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fxsim import reference
from fxsim.data import load_split
from fxsim.errors import RangeError
from fxsim.network import IntArray, QuantizedNetwork
from fxsim.network.storage import load_network
from fxsim.simulator.simulator import simulate, simulate_trace
from tests.places import MODELS
from tests.strategies import batches, networks


def assert_equals_reference(network: QuantizedNetwork, x: IntArray) -> None:
    trace = simulate_trace(network, x)
    expected = [reference.run(network, vector) for vector in x.tolist()]
    for k, seen in enumerate(trace.layers):
        assert seen.accumulators.tolist() == [run[k].accumulators for run in expected]
        assert seen.activations.tolist() == [run[k].activations for run in expected]
        assert seen.counts["overflows"] == sum(run[k].overflows for run in expected)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_random_networks(data: st.DataObject) -> None:
    network = data.draw(networks())
    assert_equals_reference(network, data.draw(batches(network, 3)))


@pytest.mark.slow
@settings(max_examples=3000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_many_random_networks(data: st.DataObject) -> None:
    network = data.draw(networks())
    assert_equals_reference(network, data.draw(batches(network, 3)))


@pytest.mark.parametrize("name", ["digits-mlp-ternary", "digits-mlp-int8"])
def test_shipped_networks(name: str) -> None:
    network = load_network(MODELS / name)
    images = load_split("digits:test").x[:20]
    trace = simulate_trace(network, images)
    assert_equals_reference(network, trace.input)
    assert (simulate(network, images) == trace.output).all()


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_trace_counts(data: st.DataObject) -> None:
    network = data.draw(networks(max_size=20))
    trace = simulate_trace(network, data.draw(batches(network, 4)))
    vector = trace.input
    for layer, seen in zip(network.layers, trace.layers, strict=True):
        products = vector[:, None, :] * layer.weight
        assert seen.counts["products"] == products.size
        assert seen.counts["zero_products"] == (products == 0).sum()
        assert seen.counts["zero_activations"] == (vector == 0).sum() * layer.outputs
        assert seen.accumulator_range == (seen.accumulators.min(), seen.accumulators.max())
        assert seen.activation_range == (seen.activations.min(), seen.activations.max())
        vector = seen.activations


def test_clipped_counts_values_outside_the_output_format() -> None:
    network = load_network(MODELS / "digits-mlp-ternary")
    seen = simulate_trace(network, load_split("digits:test").x[:50]).layers[0]
    tail, layer = network.layers[0].tail, network.layers[0]
    assert tail is not None
    exact = seen.accumulators * tail.multiplier / 2**tail.shift
    clipped = np.floor(np.maximum(exact, 0) + 0.5) > layer.output.format.max
    assert seen.counts["clipped"] == clipped.sum()


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((2, 63), np.int64), "input must have shape (n, 64), not (2, 63)"),
        (np.zeros(64, np.int64), "input must have shape (n, 64), not (64,)"),
        (np.full((1, 64), 256), "input[0, 0] must be in uint8 (0 to 255), not 256"),
        (np.full((1, 64), -1), "input[0, 0] must be in uint8 (0 to 255), not -1"),
        (np.zeros((1, 64), bool), "input must hold integers or floats, not bool"),
    ],
)
def test_bad_input(x: IntArray, message: str) -> None:
    with pytest.raises(RangeError, match=f"^{re.escape(message)}$"):
        simulate(load_network(MODELS / "digits-mlp-ternary"), x)


def test_empty_batch() -> None:
    network = load_network(MODELS / "digits-mlp-ternary")
    assert simulate(network, np.zeros((0, 64), np.int64)).shape == (0, 10)
