"""The abstract machine of blocks, where sums by hand say what it must find."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fxsim.arithmetic.formats import IntFormat, Rounding
from fxsim.network import INPUT, Folding, InputQuantizer, QuantizedNetwork, Windows
from fxsim.plan.window import WindowConfig
from fxsim.timing.cycles import load, predict
from fxsim.timing.machine import Machine
from fxsim.timing.parts import window
from tests.network.test_convolution import UINT8, convolution

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
