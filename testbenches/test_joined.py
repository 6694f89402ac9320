"""Networks with concat, resize and rescale: every word of every layer, every cycle."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxsim.testbenches.bench.simulators import SIMULATORS
from fxsim.testbenches.cases.samples import encoder_decoder, random_inputs
from fxsim.testbenches.test_graphs import check
from fxsim.testbenches.test_networks import drawn
from tests.shape_strategies import mixed_networks
from tests.strategies import batches


@pytest.mark.parametrize("lanes", [1, 2])
@pytest.mark.parametrize("simulator", SIMULATORS)
def test_encoder_and_decoder(simulator: str, lanes: int, tmp_path: Path) -> None:
    network = encoder_decoder(lanes=lanes)
    names = [layer.name for layer in network.layers]
    assert names[4:7] == ["both_double", "both_fine", "both"]
    check(network, random_inputs(network, 8), simulator, tmp_path)


@drawn(max_examples=6)
@given(data=st.data())
def test_random_networks(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Layers of all kinds but LSTM; what no layer takes leaves by a port of its own."""
    network = data.draw(mixed_networks())
    batch = data.draw(batches(network, 4))
    check(network, batch, "icarus", tmp_path_factory.mktemp("mixed"))


@pytest.mark.slow
@drawn(max_examples=30)
@given(data=st.data())
def test_random_networks_on_both(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    network = data.draw(mixed_networks(max_steps=12))
    batch = data.draw(batches(network, 6))
    for simulator in SIMULATORS:
        check(network, batch, simulator, tmp_path_factory.mktemp("mixed"))
