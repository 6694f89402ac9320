"""The abstract machine of blocks, where sums by hand say what it must find."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fxsim.arithmetic.formats import IntFormat, Rounding
from fxsim.errors import RangeError
from fxsim.network import INPUT, Folding, InputQuantizer, QuantizedNetwork, Windows
from fxsim.plan.planner import plan_network
from fxsim.plan.window import WindowConfig
from fxsim.timing.beats import machine_of
from fxsim.timing.cycles import load, predict
from fxsim.timing.machine import Deadlock, Late, Machine
from fxsim.timing.parts import buffer, feedback, fork, join, pipe, queue, window
from tests.image_strategies import image_networks
from tests.lstm_strategies import recurrent_networks
from tests.messages import raises
from tests.network.test_convolution import UINT8, convolution
from tests.residual_strategies import residual_networks
from tests.strategies import networks

TALL = Windows(channels=1, height=12, width=12, kernel=(5, 5))


def one_layer(where: Windows, *, outputs: int, rows: int, simd: int) -> QuantizedNetwork:
    weight = np.ones((outputs, where.size), np.int64)
    layer = convolution(weight, where, folding=Folding(rows=rows, simd=simd))
    source = InputQuantizer(shape=where.shape, activation=UINT8, rounding=Rounding.FLOOR)
    return QuantizedNetwork(name="net", data="none", inputs={INPUT: source}, layers=(layer,))


def test_a_window_waits_for_its_last_pixel():
    # Pixel 0 comes in cycle 0; the window of rows 0 to 4 and columns 0 to 4 ends with pixel 52.
    fmt = IntFormat(bits=8, signed=False)
    machine = Machine()
    stream = machine.enter()
    machine.leave(machine.add(window(WindowConfig(windows=TALL, format=fmt, simd=25)), stream), 64)
    assert machine.run(1).words(0, 1) == 52 + 2


def test_pixels_set_the_pace_of_a_fast_layer():
    network = one_layer(TALL, outputs=2, rows=2, simd=25)
    assert load(network.layers[0]) == 144
    assert predict(network).interval == 144


def test_a_slow_layer_never_waits():
    network = one_layer(TALL, outputs=3, rows=1, simd=25)
    assert load(network.layers[0]) == 8 * 8 * 3
    assert predict(network).interval == 8 * 8 * 3


def test_one_row_less_would_make_it_wait(monkeypatch):
    """The rows that a line buffer holds are no more than are needed."""
    network = one_layer(TALL, outputs=5, rows=5, simd=5)
    (layer,) = network.layers
    assert load(layer) == 8 * 8 * 5
    assert TALL.stored_rows == 10
    assert predict(network).interval == load(layer)
    monkeypatch.setattr(Windows, "stored_rows", 9)
    assert predict(network).interval > load(layer)


@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_every_row_is_freed_once(stride, padding):
    where = replace(TALL, stride=stride, padding=padding)
    needs, frees = zip(*where.row_plan(), strict=True)
    assert sum(frees) == where.height
    assert max(needs) <= where.stored_rows
    held = 0  # the first row that is held
    for row, (need, free) in enumerate(where.row_plan()):
        top = max(row * stride - padding, 0)
        bottom = min(row * stride - padding + 5, where.height)
        assert held <= top
        assert held + need >= bottom
        held += free


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    network=st.one_of(
        networks(max_size=20), image_networks(), residual_networks(), recurrent_networks()
    )
)
def test_what_comes_again_is_what_a_long_run_sees(network):
    plan = plan_network(network)
    machine, _ = machine_of(plan)
    flow = machine.repeat()
    assert flow.turn > 0
    count = 3 * flow.seen + 5
    machine.add(pipe(1 << 40, 1), machine.enter())  # a counter that never comes round
    plain = machine.run(count)
    assert not plain.cycles
    words = count * flow.counts[0]
    np.testing.assert_array_equal(flow.words(0, words), plain.words(0, words))


def loop(latency, beats, spacing=1):
    """Words of a stream, each joined by one of the vector before, as in an LSTM layer."""
    machine = Machine()
    back, out, last = machine.stream(), machine.stream(), machine.stream()
    state = machine.add(buffer(beats, 1), machine.add(feedback(beats), back))
    total = machine.add(join(latency, spacing), machine.enter(), state)
    machine.put(fork(), [total], [out, back])
    machine.put(buffer(beats, 1), [out], [last])
    machine.leave(last, beats)
    return machine


@pytest.mark.parametrize(("latency", "beats"), [(1, 1), (5, 1), (5, 4), (3, 9)])
def test_a_loop_takes_its_latency_or_its_words(latency, beats):
    """A word is back at the join after the pipeline and the buffer, which takes 2 cycles."""
    flow = loop(latency, beats).repeat()
    assert flow.interval == max(latency + 2, beats)
    assert flow.ends(0, 1)[0] == beats - 1 + latency + 2


@pytest.mark.parametrize("latency", [7, 8, 9])
def test_a_join_that_takes_words_apart(latency):
    """Three cycles from word to word, and at once when it is empty."""
    flow = loop(latency, 4, spacing=3).repeat()
    assert flow.ends(0, 1)[0] == 3 * 3 + latency + 2
    # The first word is back in time, or else the last one has left.
    assert flow.interval == max(3 * 4, latency + 2)


def test_after_reset_the_loop_needs_its_zeros_first():
    """They pass the buffer in 2 cycles before the first word is taken."""
    machine = loop(5, 3)
    rested, first = (machine.run(1, rests=rests).ends(0, 1)[0] for rests in (True, False))
    assert first == rested + 2


def test_a_circle_without_a_memory_is_refused():
    machine = Machine()
    back, out = machine.stream(), machine.stream()
    total = machine.add(join(2), machine.enter(), machine.add(feedback(1), back))
    machine.put(fork(), [total], [out, back])
    machine.leave(out, 1)
    with raises(RangeError, "a circle of blocks must have one with a memory"):
        machine.run(1)


def branches(*depths, latency=9):
    """Three ways from a fork to a join: a long pipeline, a short one, none; queues before it."""
    machine = Machine()
    ways = [machine.stream() for _ in range(3)]
    machine.put(fork(), [machine.enter(count=4)], ways)
    ends = [machine.add(pipe(1, latency), ways[0]), machine.add(pipe(1, 2), ways[1]), ways[2]]
    ends = [
        machine.add(queue(depth), end) if depth else end
        for depth, end in zip(depths, ends, strict=True)
    ]
    machine.leave(machine.add(join(2), *ends), 4)
    return machine


def test_a_join_of_three():
    """Queues of 10 and 8 words keep the pipeline of 9 stages full: one word in each cycle."""
    assert branches(0, 8, 10).repeat().interval == 4
    assert branches(0, 8, 9).repeat().interval > 4
    assert branches(0, 7, 10).repeat().interval > 4


def test_a_word_that_is_late():
    best = branches(0, 8, 10).repeat()
    assert best.never_later(best)
    with pytest.raises(Late):
        branches(0, 8, 9).run(9, latest=[best.words(0, 36)])
    slower = branches(0, 8, 9).repeat()
    assert best.never_later(slower)
    assert not slower.never_later(best)


def test_a_deadlock_says_what_has_left():
    """A buffer of whole vectors needs 4 words before the short way may have more than 2."""
    machine = Machine()
    long, short = machine.stream(), machine.stream()
    machine.put(fork(), [machine.enter()], [long, short])
    vector = machine.add(pipe(4, 1), machine.add(buffer(4, 4), long))
    machine.leave(machine.add(join(2), vector, machine.add(queue(2), short)), 4)
    with pytest.raises(Deadlock, match=r"^deadlock after 0 output words$"):
        machine.run(1)


def test_two_ports_at_either_end():
    """Words of two inputs side by side; a vector has 2 of one and 3 of the other."""
    machine = Machine()
    machine.leave(machine.add(pipe(1, 3), machine.enter()), 2)
    machine.leave(machine.add(pipe(2, 5), machine.enter()), 3)
    flow = machine.repeat()
    assert flow.ends(0, 2).tolist() == [1 + 3, 3 + 3]
    assert flow.ends(1, 2).tolist() == [5 + 5, 11 + 5]


@pytest.mark.parametrize("follows", [False, True])
def test_a_vector_that_follows_leaves_after_one_has_come(follows):
    """Five words of the first port are a vector; the other one's two would leave in cycle 4."""
    machine = Machine()
    machine.leave(machine.add(pipe(5, 2), machine.enter(count=5)), 1, follows=True)
    machine.leave(machine.add(pipe(2, 3), machine.enter(count=2)), 1, follows=follows)
    assert machine.run(1).ends(1, 1)[0] == (5 if follows else 4)
