"""Concat, resize and rescale cost no cycle: the busiest layer sets the interval."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from fxsim.arithmetic.formats import IntFormat, Overflow, Rounding
from fxsim.network import (
    INPUT,
    Activation,
    Concat,
    Folding,
    InputQuantizer,
    QuantizedConvolution,
    QuantizedNetwork,
    Rescale,
    Resize,
    Tail,
    Windows,
)
from fxsim.timing.cycles import completion_times, load, predict
from fxsim.timing.depths import with_depths
from tests.network.stored_networks import SOURCE, linear
from tests.shape_strategies import mixed_networks

QUIET = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
SIGNED = Activation(format=IntFormat(bits=5, signed=True), scale=1.0)
SHIFT = Tail(
    multiplier=np.array([1]),
    multiplier_bits=0,
    shift=2,
    rounding=Rounding.FLOOR,
    overflow=Overflow.SATURATE,
)


def network_of(*layers, sources=None, shape=(2, 4, 3)):
    source = InputQuantizer(shape=shape, activation=SOURCE, rounding=Rounding.FLOOR)
    return with_depths(
        QuantizedNetwork(
            name="net", data="none", inputs={INPUT: source}, layers=layers, sources=sources or {}
        )
    )


@QUIET
@given(network=mixed_networks(kinds=("rescale", "resize"), max_steps=8))
def test_the_busiest_layer_sets_the_interval(network):
    """Without windows and products, whose own waits are not of this test."""
    assert predict(network).interval == max(map(load, network.layers))


@pytest.mark.parametrize("lanes", [1, 2])
@pytest.mark.parametrize("factors", [(2, 2), (4, 1), (1, 4)])
def test_pixels_that_come_evenly(factors, lanes):
    """A convolution takes 4 cycles for a pixel, and a resize of 2 lanes gives it 4 times.

    With a row in place of two it would wait; so would one that did not take pixels meanwhile.
    """
    product = linear("dots", 2, 2, tail=SHIFT, output=SIGNED)
    windows = Windows(channels=2, height=4, width=3, kernel=(1, 1))
    dots = QuantizedConvolution(product=product, windows=windows)
    larger = Resize(name="larger", shape=dots.shape_out, factors=factors, input=SIGNED, lanes=lanes)
    network = network_of(dots, larger)
    times = completion_times(network, 6)
    pixels = 4 * 3
    assert load(dots) == 4 * pixels
    assert predict(network).interval == load(larger) == (2 // lanes) * 4 * pixels
    assert {after - before for before, after in pairwise(times)} == {load(larger)}


def test_an_operand_gathers_lanes_while_it_is_not_its_turn():
    """Four channels come singly, so each operand takes 4 cycles for its beat: 4 in all, not 8."""
    shape = (4, 2, 3)
    names = ("up", "down")
    layers = [
        Resize(name=name, shape=shape, factors=(1, 2), input=SOURCE, lanes=1) for name in names
    ]
    joined = Concat(name="both", shapes=((4, 2, 6),) * 2, input=SOURCE, lanes=4)
    sources = {"down": (INPUT,), "both": names}
    network = network_of(*layers, joined, sources=sources, shape=shape)
    assert load(joined) == 2 * 2 * 6
    assert predict(network).interval == load(layers[0]) == 4 * 2 * 6


@pytest.mark.parametrize("last", ["outputs", "concat"])
def test_pauses_leave_a_word_in_each_pipeline(last):
    """Rescales hold a whole vector of 16 if it comes at once, but two words each if it does not.

    One of these is in the pipeline, one in the skid buffer after it.

    A linear layer beside them needs the vector, before it yields what is taken first.
    """
    tail = replace(SHIFT, multiplier_bits=4)
    chain = [
        Rescale(name=f"step{k}", shape=(16,), input=SOURCE, tail=tail, output=SOURCE)
        for k in range(4)
    ]
    whole = linear("whole", 3, 16, output=SOURCE, tail=SHIFT, folding=Folding(rows=3, simd=1))
    layers, sources = [*chain, whole], {"whole": (INPUT,)}
    if last == "concat":
        layers.append(Concat(name="both", shapes=((3,), (16,)), input=SOURCE))
        sources["both"] = ("whole", "step3")
        depth = network_of(*layers, sources=sources, shape=(16,)).depths["both"][1]
    else:
        source = InputQuantizer(shape=(16,), activation=SOURCE, rounding=Rounding.FLOOR)
        network = QuantizedNetwork(
            name="net",
            data="none",
            inputs={INPUT: source},
            layers=tuple(layers),
            sources=sources,
            outputs=("step3", "whole"),
        )
        depth = with_depths(network).output_depths["step3"]
    assert depth + 2 * len(chain) >= 15  # and the fork has given the last one to the layer
