"""Foldings for an interval, and for a number of multipliers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from fxsim.errors import RangeError
from fxsim.network.storage import load_network
from fxsim.simulator import simulate
from fxsim.timing.cycles import load, predict
from fxsim.timing.folding import cost, fold, fold_within
from tests.image_strategies import image_networks
from tests.messages import raises, refusal
from tests.places import MODELS
from tests.strategies import batches

QUIET = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))


def test_digits() -> None:
    # 64 x 64, 32 x 64 and 10 x 32 products within 64 cycles: 64, 32 and 5 cells.
    folded = fold(load_network(MODELS / "digits-mlp-ternary"), 64)
    assert [cost(layer) for layer in folded.network.layers] == [64, 32, 5]
    assert (folded.multipliers, folded.interval, folded.bottleneck) == (101, 64, "layer0")
    assert predict(folded.network).interval == 64


def test_within_a_number_of_multipliers() -> None:
    network = load_network(MODELS / "digits-mlp-ternary")
    assert fold_within(network, 101).interval == 64
    slower = fold_within(network, 100)
    assert slower.interval > 64
    assert slower.multipliers <= 100
    assert fold_within(network, 3).multipliers == 3
    with raises(RangeError, "multipliers must be at least 3, not 2"):
        fold_within(network, 2)


def test_too_short_an_interval() -> None:
    network = load_network(MODELS / "digits-mlp-ternary")
    with raises(RangeError, "layer0: interval must be at least 1, not 0"):
        fold(network, 0)


def test_state_is_refused() -> None:
    network = load_network(MODELS / "charlm-lstm-ternary")
    name = network.layers[0].name
    message = f"{name}: foldings of layers with state must be chosen by hand"
    assert refusal(RangeError, fold, network, 100) == message


@QUIET
@given(data=st.data())
def test_outputs_stay_and_nothing_is_wasted(data: st.DataObject) -> None:
    network = data.draw(image_networks())
    interval = data.draw(st.integers(1, 4 * max(map(load, network.layers))))
    assume(refusal(RangeError, fold, network, interval) is None)
    folded = fold(network, interval)
    assert folded.interval <= interval
    assert folded.loads == {layer.name: load(layer) for layer in folded.network.layers}
    batch = data.draw(batches(network, 2))
    np.testing.assert_array_equal(simulate(network, batch), simulate(folded.network, batch))
    for before, after in zip(network.layers, folded.network.layers, strict=True):
        if load(before) <= interval:
            assert cost(after) <= cost(before) or any(p.folding.pad for p in before.linears)


@pytest.mark.parametrize("model", ["handwriting-lenet-ternary"])
def test_the_cycles_measured_are_those_of_the_bottleneck(model: str) -> None:
    """Images follow one another with no bubble: the slowest layer never waits."""
    network = load_network(MODELS / model)
    for interval in (784, 2000, 6000):
        folded = fold(network, interval)
        prediction = predict(folded.network)
        assert prediction.interval == folded.interval
        assert prediction.bottleneck == folded.bottleneck
