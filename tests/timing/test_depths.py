"""Depths of the queues of shortcuts: enough, and not a word more than that."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from fxsim.errors import RangeError
from fxsim.network.graph import MIN_DEPTH
from fxsim.plan.planner import plan_network
from fxsim.simulator import simulate
from fxsim.testbenches.cases.samples import random_inputs, residual
from fxsim.timing.beats import machine_of
from fxsim.timing.cycles import completion_times, predict
from fxsim.timing.depths import least_depths, with_depths
from fxsim.timing.folding import fold, fold_within
from fxsim.timing.machine import Deadlock
from fxsim.timing.parts import queue
from tests.messages import raises
from tests.oracles.cycles import mac_latency, requantizer_latency
from tests.residual_strategies import residual_networks

QUIET = settings(deadline=None, suppress_health_check=list(HealthCheck))
ENDLESS = 1 << 24


def with_depth(network, depth):
    """The same network with queues of another depth."""
    return replace(network, depths={add.name: (0, depth) for add in network.adds})


@pytest.mark.parametrize("side", [3, 6, 11])
def test_depth_by_hand(side):
    """Two 3 x 3 convolutions see two rows and two pixels ahead; the pipelines add their stages."""
    network = residual(side=side)
    _, second, third, add, *_ = network.layers
    stages = sum(
        2 + mac_latency(layer.product) + requantizer_latency(layer.product)
        for layer in (second, third)
    )
    # Pixel p of the output is there when pixel p + side + 1 has passed a convolution, and a pixel
    # passes in each cycle; one cycle is that in which the add takes the pair.
    ahead = 2 * (side + 1)
    assert network.depths == {add.name: (0, ahead + stages + 1)}
    assert predict(network).interval == side * side


@pytest.mark.parametrize("side", [3, 6, 11])
def test_what_the_layers_need_before_they_yield(side):
    """Where pixels wait for one another, only those ahead count, and one less hangs."""
    network = residual(side=side)
    # Pixels from the one that is added to the one before the last that the layers need for it: the
    # fork gives this one to the layers while the queue is full. Another is in the skid buffer.
    held = 2 * (side + 1) - 1
    slow = predict(with_depth(network, held))
    assert slow.interval > predict(network).interval
    message = f"the queues are too short (sum.queue1: {held - 1} words): the network would deadlock"
    with raises(RangeError, message):
        predict(with_depth(network, held - 1))


def flow_of(network, depths):
    """A run with other depths at some operands, by layer and place."""
    machine, queues = machine_of(plan_network(network))
    return machine.repeat(
        {queues[f"{name}.queue{k}"]: queue(depth) for (name, k), depth in depths.items()}
    )


@settings(QUIET, max_examples=25)
@given(data=st.data())
def test_depths_cost_no_time_and_none_can_be_less(data):
    network = data.draw(residual_networks())
    depths = {
        (name, k): depth
        for name, given in network.depths.items()
        for k, depth in enumerate(given)
        if depth
    }
    best, found = flow_of(network, dict.fromkeys(depths, ENDLESS)), flow_of(network, {})
    words = 60 * best.counts[0]
    np.testing.assert_array_equal(found.words(0, words), best.words(0, words))
    for place, depth in depths.items():
        if depth > MIN_DEPTH:
            try:
                shorter = flow_of(network, {place: depth - 1}).words(0, words)
            except Deadlock:
                continue
            assert (shorter > best.words(0, words)).any()


@settings(QUIET, max_examples=15)
@given(data=st.data())
def test_longer_queues_are_never_slower(data):
    """What the search by steps relies on."""
    network = data.draw(residual_networks())
    places = [(name, k) for name, given in network.depths.items() for k, d in enumerate(given) if d]
    assume(places)
    name, k = places[0]
    depth, seen = network.depths[name][k], []
    for one in (depth - 2, depth - 1, depth, depth + 3):
        if one >= MIN_DEPTH:
            try:
                seen.append(flow_of(network, {(name, k): one}).words(0, 6))
            except Deadlock:
                assert not seen, "a longer queue hangs where a shorter one does not"
    for shorter, longer in pairwise(seen):
        assert (longer <= shorter).all()


def test_depths_follow_the_folding():
    network = residual()
    slow = fold(network, 400)
    assert slow.network.depths == least_depths(slow.network) != network.depths
    assert completion_times(slow.network, 9) == completion_times(
        with_depth(slow.network, ENDLESS), 9
    )
    assert predict(slow.network).interval == slow.interval <= 400
    x = random_inputs(network, 5)
    np.testing.assert_array_equal(simulate(slow.network, x), simulate(network, x))
    assert fold_within(network, slow.multipliers).interval <= slow.interval


def test_networks_without_adds_stay_as_they_are():
    network = residual()
    plain = replace(network, layers=network.layers[:1], sources={}, depths={})
    assert with_depths(plain) is plain
