# amaranth: UnusedElaboratable=no
"""Cycles, from the plan, against closed forms that know the network only."""

from __future__ import annotations

from itertools import pairwise

import pytest
from amaranth.hdl import Fragment
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fxsim.hw.build import build
from fxsim.network import Folding
from fxsim.network.storage import load_network
from fxsim.plan.planner import plan_network
from fxsim.testbenches.cases.samples import row
from fxsim.timing.blocks import latency
from fxsim.timing.cycles import completion_times, load, predict
from tests.image_strategies import image_networks
from tests.lstm_strategies import recurrent_networks
from tests.oracles import cycles as closed
from tests.places import MODELS
from tests.residual_strategies import residual_networks
from tests.strategies import networks

QUIET = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
FEED_FORWARD = sorted(
    path.parent.name for path in MODELS.glob("*/network.yaml") if "lstm" not in str(path.parent)
)
ANY = st.one_of(networks(max_size=30), image_networks(), residual_networks(), recurrent_networks())


def whole(network) -> bool:
    """Whether no tile and no beat is padded."""
    return not any(
        product.outputs % product.folding.rows or product.inputs % product.folding.simd
        for product in network.linears
    )


def test_digits() -> None:
    # 8 input beats, 64 outputs on 8 rows, then 32 on 8, then 10 on 2.
    prediction = predict(load_network(MODELS / "digits-mlp-ternary"))
    assert [layer.interval for layer in prediction.layers] == [64, 32, 20]
    assert (prediction.interval, prediction.bottleneck) == (64, "layer0")
    assert [layer.utilisation for layer in prediction.layers] == [1, 0.5, 20 / 64]
    assert [layer.macs for layer in prediction.layers] == [8 * 8, 8 * 8, 2 * 8]


@pytest.mark.parametrize("name", ["charlm-lstm-int8", "charlm-lstm-ternary"])
def test_a_loop_sets_the_interval(name) -> None:
    """Both products of the layer take 256 cycles, and the way back from the cells some more."""
    prediction = predict(load_network(MODELS / name))
    assert [layer.interval for layer in prediction.layers][:2] == [256, 256]
    assert prediction.interval > 256
    assert prediction.bottleneck == "layer0"


@settings(QUIET, max_examples=150)
@given(network=recurrent_networks())
def test_cycles_of_loops_are_those_of_closed_forms(network) -> None:
    """Each vector's last beat; no sooner where tiles are padded, and rarely later.

    The forms know no block that waits for the next one (`fxsim/testbenches/test_lstm.py` has
    networks where one does).
    """
    times, soonest = completion_times(network, 9), closed.completion_times(network, 9)
    assert times[0] == predict(network).latency
    assert all(time >= soon for time, soon in zip(times, soonest, strict=True))
    if whole(network):
        assert times == soonest


@settings(QUIET, max_examples=150)
@given(network=networks(max_size=30))
def test_cycles_of_layers_in_a_row_are_those_of_closed_forms(network) -> None:
    """The first vector on an idle network exactly, where tiles are whole; others no sooner.

    A pipeline stops as a whole where the next block takes a tile more slowly than it comes, and
    with it what is behind the tile (`fxsim/testbenches/test_networks.py` has such a network). The
    forms know no such waits.
    """
    times, soonest = completion_times(network, 9), closed.completion_times(network, 9)
    assert times[0] == predict(network).latency
    assert all(time >= soon for time, soon in zip(times, soonest, strict=True))
    if whole(network):
        assert times[0] == soonest[0]


@pytest.mark.parametrize("name", FEED_FORWARD)
def test_interval_of_a_shipped_network_is_the_work_of_its_slowest_layer(name) -> None:
    network = load_network(MODELS / name)
    assert predict(network).interval == max(map(closed.load, network.layers))


@QUIET
@given(network=st.one_of(networks(max_size=30), image_networks(), residual_networks()))
def test_interval_is_the_work_of_the_slowest_layer_by_its_lanes(network) -> None:
    """At the least; and no more where tiles are whole, in a row of fully connected layers.

    A short last tile takes as long to compute as the others, and is not always made up for; rows of
    pixels that no window sees take their time at the end of an image.
    """
    work = {layer.name: closed.load(layer) for layer in network.layers}
    assert {layer.name: load(layer) for layer in network.layers} == work
    prediction = predict(network)
    slowest = max(work.values())
    assert prediction.interval >= slowest == work[prediction.bottleneck]
    assert all(layer.utilisation <= 1 for layer in prediction.layers)
    if whole(network) and len(network.linears) == len(network.layers) and not network.spatial:
        assert prediction.interval == slowest


def test_an_interval_that_takes_long_to_settle() -> None:
    """Nine tiles in nine cycles; the third layer takes three cycles for each of the second's."""
    foldings = [Folding(rows=1, simd=1), Folding(rows=3, simd=9), Folding(rows=1, simd=1)]
    network = row(["slow", "fast", "last"], sizes=[1, 9, 9, 1], foldings=foldings)
    times = completion_times(network, 9)
    assert [after - before for before, after in pairwise(times)] == [10, 10, 10, 10, 9, 9, 9, 9]
    assert predict(network).interval == 9


def test_an_interval_that_falls_below_its_pace_for_a_while() -> None:
    """5, 6, 5, 6 ... cycles, and 6 in the end: what was held up comes faster."""
    foldings = [Folding(rows=rows, simd=simd, pad=True) for rows, simd in ((5, 2), (4, 14), (1, 1))]
    network = row(["a", "b", "c"], sizes=[3, 14, 5, 1], foldings=foldings)
    times = completion_times(network, 60)
    intervals = [after - before for before, after in pairwise(times)]
    assert min(intervals) == 5
    assert set(intervals[-9:]) == {6}
    assert (predict(network).interval, predict(network).bottleneck) == (6, "a")


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
