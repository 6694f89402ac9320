"""Networks with adds and argmax: random and shipped ones, every layer and cycle; tight depths."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fxsim import data
from fxsim.arithmetic.formats import IntFormat, Rounding
from fxsim.errors import RangeError
from fxsim.hw.blocks.greatest_place import GreatestPlace
from fxsim.hw.emit import accelerator_verilog
from fxsim.network import (
    INPUT,
    Activation,
    Argmax,
    InputQuantizer,
    QuantizedNetwork,
)
from fxsim.simulator.inputs import as_input
from fxsim.simulator.simulator import simulate_trace
from fxsim.testbenches.accelerator import accelerator_job
from fxsim.testbenches.bench.simulators import find_simulator
from fxsim.testbenches.cases.samples import random_inputs, residual, shipped
from fxsim.testbenches.run import run
from fxsim.testbenches.test_faults import assert_mismatch_in, regression
from fxsim.testbenches.test_networks import check, drawn
from fxsim.testbenches.verify import NetworkRun, verify
from fxsim.timing.cycles import predict
from tests.lstm_strategies import recurrent_networks, sequences
from tests.residual_strategies import residual_networks
from tests.strategies import batches

MODEL = "handwriting-residual-ternary"


@drawn(max_examples=8)
@given(drawn_data=st.data())
def test_random_network_on_icarus(
    drawn_data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    network = drawn_data.draw(residual_networks(max_side=6))
    batch = drawn_data.draw(batches(network, 5))
    check(network, {"icarus": batch}, tmp_path_factory.mktemp("random"))


@drawn(max_examples=1)
@given(drawn_data=st.data())
def test_random_network_on_verilator(
    drawn_data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    network = drawn_data.draw(residual_networks(max_blocks=3))
    batch = drawn_data.draw(batches(network, 7))
    check(network, {"verilator": batch}, tmp_path_factory.mktemp("random"))


@pytest.mark.slow
@pytest.mark.parametrize(("simulator", "count"), [("verilator", 50), ("icarus", 2)])
def test_shipped_network(simulator: str, count: int, tmp_path: Path) -> None:
    network = shipped(MODEL)
    images = as_input(network, data.load(network.data).test.x[:count])
    check(network, {simulator: images}, tmp_path)


@drawn(max_examples=3)
@given(drawn_data=st.data())
def test_argmax_behind_a_recurrence(
    drawn_data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """One word a vector, next to the loop."""
    network = drawn_data.draw(recurrent_networks(max_size=5))
    last = network.layers[-1]
    assume(last.outputs > 1)
    answer = Argmax(name="answer", input=last.output, items=last.outputs)
    network = replace(network, layers=(*network.layers, answer))
    batch = drawn_data.draw(sequences(network, 3, 4))
    folder = tmp_path_factory.mktemp("lstm")
    (result,) = verify(network, vectors={"icarus": batch}, seed=5, folder=folder)
    assert (result.messages, result.wrong) == ([], 0)
    assert result.latency_measured == result.latency_predicted


def with_depth(network: QuantizedNetwork, depth: int) -> QuantizedNetwork:
    """Network with queues of another depth."""
    return replace(network, depths={add.name: (0, depth) for add in network.adds})


def measured(network: QuantizedNetwork, depth: int, folder: Path) -> NetworkRun:
    """Result of the hardware with queues of ``depth``, against its own prediction."""
    network = with_depth(network, depth)
    vectors = random_inputs(network, 8)
    (result,) = verify(
        network, vectors={"icarus": vectors}, seed=1, folder=folder, patterns=["none"]
    )
    assert (result.wrong, result.messages) == (0, [])
    return result


def test_a_word_less_is_slower(tmp_path: Path) -> None:
    """In hardware, in the very cycles that are predicted for the shorter queue."""
    network = residual()
    ((_, depth),) = network.depths.values()
    enough, short, more = (
        measured(network, depth + k, tmp_path / str(k)).interval_measured for k in (0, -1, 5)
    )
    assert enough == more == predict(network).interval == 36
    assert short is not None
    assert short > enough


def test_a_word_less_than_the_windows_need_hangs(tmp_path: Path) -> None:
    """The hardware stops where the prediction says that it will, in every pause pattern."""
    network = residual()
    # Two convolutions of 3 x 3 on rows of 6 pixels; one of these is in the skid buffer.
    least = 2 * (6 + 1) - 1
    for depth, hangs in ((least, False), (least - 1, True)):
        short = with_depth(network, depth)
        if hangs:
            with pytest.raises(RangeError, match="the network would deadlock"):
                predict(short)
        trace = simulate_trace(network, random_inputs(network, 3))
        job = accelerator_job(short, trace, seed=1)
        result = run(
            find_simulator("icarus"),
            accelerator_verilog(short),
            short.name,
            job,
            tmp_path / str(depth),
        )
        assert result.wrong == 0
        assert result.failed == (len(job.patterns) if hangs else 0)
        for message in result.messages:
            assert "no transfer for" in message or "only" in message


# Faults, which must be found.


@pytest.mark.parametrize("change", ["multiplier", "shift", "zero point", "operands"])
def test_wrong_sum(change: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    network = residual()
    (add,) = network.adds
    tail, first, second = add.tail, *add.multipliers
    wide = replace(add, accumulator=replace(add.accumulator, bits=40))
    broken = {
        "multiplier": replace(
            wide,
            tail=replace(tail, multiplier=np.array([first, second - second // 8])),
        ),
        "shift": replace(wide, tail=replace(tail, shift=tail.shift + 1)),
        "zero point": replace(wide, output=replace(add.output, zero_point=1)),
        "operands": replace(wide, tail=replace(tail, multiplier=np.array([second, first]))),
    }[change]
    layers = list(network.layers[: network.layers.index(add)])
    network = replace(network, layers=(*layers, add))
    verilog = accelerator_verilog(replace(network, layers=(*layers, broken)))
    result, trace = regression(monkeypatch, network, verilog, tmp_path)
    assert_mismatch_in("sum", result, trace)


def test_shorter_queue_than_the_network_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    network = residual()
    ((_, depth),) = network.depths.values()
    verilog = accelerator_verilog(with_depth(network, depth - 1))
    result, _ = regression(monkeypatch, network, verilog, tmp_path)
    assert result.wrong == 0
    (message,) = result.messages
    assert "was predicted" in message
    assert not result.ok


def test_highest_of_equals(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An argmax whose ties go to the higher lane."""
    bit = Activation(format=IntFormat(bits=1, signed=False), scale=1.0)
    network = QuantizedNetwork(
        name="net",
        data="none",
        inputs={INPUT: InputQuantizer(shape=(6,), activation=bit, rounding=Rounding.FLOOR)},
        layers=(Argmax(name="answer", input=bit, items=6, lanes=3),),
    )
    right: Callable[..., object] = GreatestPlace._greatest
    monkeypatch.setattr(GreatestPlace, "_greatest", lambda self, m, c: right(self, m, c[::-1]))
    verilog = accelerator_verilog(network)
    monkeypatch.undo()
    result, trace = regression(monkeypatch, network, verilog, tmp_path)
    assert_mismatch_in("answer", result, trace)
