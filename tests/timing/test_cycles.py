# amaranth: UnusedElaboratable=no
"""Cycles, from the plan, against closed forms that know the network only."""

from __future__ import annotations

import pytest
from amaranth.hdl import Fragment
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fxsim.hw.build import build
from fxsim.network.storage import load_network
from fxsim.plan.planner import plan_network
from fxsim.timing.blocks import latency
from fxsim.timing.cycles import completion_times, load, predict
from tests.image_strategies import image_networks
from tests.lstm_strategies import recurrent_networks
from tests.oracles import cycles as closed
from tests.places import MODELS
from tests.residual_strategies import residual_networks
from tests.strategies import networks

QUIET = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
ANY = st.one_of(networks(max_size=30), image_networks(), residual_networks(), recurrent_networks())


def test_digits() -> None:
    # 8 input beats, 64 outputs on 8 rows, then 32 on 8, then 10 on 2.
    prediction = predict(load_network(MODELS / "digits-mlp-ternary"))
    assert [layer.interval for layer in prediction.layers] == [64, 32, 20]
    assert (prediction.interval, prediction.bottleneck) == (64, "layer0")
    assert [layer.utilisation for layer in prediction.layers] == [1, 0.5, 20 / 64]


@QUIET
@given(network=st.one_of(networks(max_size=30), recurrent_networks()))
def test_cycles_are_those_of_closed_forms(network) -> None:
    """Layers of whole vectors, in a row or in a loop: each vector's last beat."""
    times = closed.completion_times(network, 9)
    assert completion_times(network, 9) == times
    assert predict(network).latency == times[0]


@QUIET
@given(network=st.one_of(networks(max_size=30), image_networks(), residual_networks()))
def test_interval_is_the_work_of_the_slowest_layer_by_its_lanes(network) -> None:
    work = {layer.name: closed.load(layer) for layer in network.layers}
    assert {layer.name: load(layer) for layer in network.layers} == work
    prediction = predict(network)
    assert prediction.interval == max(work.values())
    assert work[prediction.bottleneck] == prediction.interval


@settings(QUIET, max_examples=30)
@given(network=ANY)
def test_latencies_are_those_that_the_blocks_publish(network) -> None:
    for node in plan_network(network).blocks:
        block = build(node.record)
        published = getattr(block, "latency", 0)  # a fork has no registers
        assert latency(node.record) == published
        Fragment.get(block, None)  # Amaranth complains of blocks that are made and never used


@pytest.mark.parametrize("vectors", [1, 7])
def test_one_time_for_each_vector(vectors: int) -> None:
    times = completion_times(load_network(MODELS / "digits-mlp-int8"), vectors)
    assert len(times) == vectors
    assert sorted(set(times)) == times
