"""Networks that work on images: shipped and random ones, every layer and every cycle."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxsim import data
from fxsim.network import IntArray, QuantizedNetwork
from fxsim.simulator import as_input
from fxsim.testbenches.cases.samples import shipped
from fxsim.testbenches.test_networks import check, drawn
from fxsim.testbenches.verify import verify
from tests.image_strategies import image_networks
from tests.strategies import batches

LENET = "handwriting-lenet-ternary"
LARGE = ["house-numbers-cnn-narrow", "house-numbers-cnn-ternary"]


def images(network: QuantizedNetwork, count: int) -> IntArray:
    batch = as_input(network, data.load(network.data).test.x[:count])
    assert len(batch) == count
    return batch


@pytest.mark.parametrize(("simulator", "count"), [("verilator", 200), ("icarus", 2)])
def test_shipped_network(simulator: str, count: int, tmp_path: Path) -> None:
    """One pattern: ternary dot products of this size take long."""
    network = shipped(LENET)
    (result,) = verify(
        network,
        vectors={simulator: images(network, count)},
        seed=5,
        folder=tmp_path,
        patterns=["none"],
    )
    assert result.messages == []
    pixels = [-(-layer.outputs // layer.lanes_out) for layer in network.layers]
    words = sum(pixels) + pixels[-1]  # every layer's, and the output's
    assert (result.words, result.wrong) == (count * words, 0)
    assert result.latency_measured == result.latency_predicted
    assert result.interval_measured == result.interval_predicted


@pytest.mark.slow
@pytest.mark.parametrize("model", [LENET, *LARGE])
def test_shipped_network_with_pauses(model: str, tmp_path: Path) -> None:
    network = shipped(model)
    check(network, {"verilator": images(network, 50)}, tmp_path)


@drawn(max_examples=8)
@given(drawn_data=st.data())
def test_random_network_on_icarus(
    drawn_data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    network = drawn_data.draw(image_networks(max_side=7, max_channels=4))
    batch = drawn_data.draw(batches(network, 4))
    check(network, {"icarus": batch}, tmp_path_factory.mktemp("random"))


@drawn(max_examples=1)
@given(drawn_data=st.data())
def test_random_network_on_verilator(
    drawn_data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    network = drawn_data.draw(image_networks(max_side=10))
    batch = drawn_data.draw(batches(network, 7))
    check(network, {"verilator": batch}, tmp_path_factory.mktemp("random"))
