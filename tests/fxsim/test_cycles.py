# amaranth: UnusedElaboratable=no
"""Cycle counts in closed form; the testbenches hold them equal to the hardware."""

from __future__ import annotations

import pytest
from amaranth.hdl import Fragment
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fxsim import blocks, flow
from fxsim.cycles import completion_times, predict
from fxsim.hw.config import MacArrayConfig, RequantizerConfig
from fxsim.hw.mac_array import MacArray
from fxsim.hw.requantizer import Requantizer
from fxsim.storage import load_network
from tests.places import MODELS
from tests.strategies import linears, networks

QUIET = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def test_digits() -> None:
    # 8 input beats, 64 outputs on 8 rows, then 32 on 8, then 10 on 2.
    prediction = predict(load_network(MODELS / "digits-mlp-ternary"))
    assert [layer.interval for layer in prediction.layers] == [64, 32, 20]
    assert (prediction.interval, prediction.bottleneck) == (64, "layer0")
    assert [layer.utilisation for layer in prediction.layers] == [1, 0.5, 20 / 64]


@QUIET
@given(data=st.data())
def test_interval_is_that_of_the_slowest_layer(data: st.DataObject) -> None:
    network = data.draw(networks(max_size=30))
    times = completion_times(network, 12)
    prediction = predict(network)
    assert prediction.latency == times[0]
    slowest = max(
        -(-layer.outputs // layer.folding.rows) * -(-layer.inputs // layer.folding.simd)
        for layer in network.layers
    )
    assert prediction.interval == slowest
    assert times[-1] - times[-2] == slowest


@QUIET
@given(layer=linears(max_size=20))
def test_latencies_are_those_that_the_blocks_publish(layer) -> None:
    block = MacArray(MacArrayConfig.from_layer(layer))
    assert blocks.mac_latency(layer) == block.latency
    Fragment.get(block, None)  # Amaranth complains of blocks that are made and never used
    if layer.requantizer is not None:
        block = Requantizer(RequantizerConfig.from_layer(layer))
        assert blocks.requantizer_latency(layer) == block.latency


@QUIET
@given(data=st.data())
def test_the_abstract_machine_says_the_same_of_vectors(data: st.DataObject) -> None:
    """Two ways to the same cycles, where both apply."""
    network = data.draw(networks(max_size=30))
    chain, lanes = [], network.lanes_in
    for layer in network.layers:
        chain += blocks.layer_blocks(layer, lanes)
        lanes = layer.lanes_out
    beats = -(-network.layers[0].inputs // network.lanes_in), -(-layer.outputs // lanes)
    assert flow.completion_times(chain, 9, *beats) == completion_times(network, 9)


@pytest.mark.parametrize("vectors", [1, 7])
def test_one_time_for_each_vector(vectors: int) -> None:
    times = completion_times(load_network(MODELS / "digits-mlp-int8"), vectors)
    assert len(times) == vectors
    assert sorted(set(times)) == times
