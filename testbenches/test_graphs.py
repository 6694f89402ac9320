"""Networks that are graphs: random ones, several ports, and both orders of draining them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxsim.arithmetic.formats import Rounding
from fxsim.errors import RangeError
from fxsim.hw.emit import accelerator_verilog, manifest_of
from fxsim.network import INPUT, InputQuantizer, QuantizedNetwork
from fxsim.simulator.inputs import Batch
from fxsim.simulator.simulator import simulate_trace
from fxsim.testbenches.accelerator import accelerator_job
from fxsim.testbenches.bench.job import TURNS
from fxsim.testbenches.bench.simulators import find_simulator
from fxsim.testbenches.cases.gradient_cases import random_layer
from fxsim.testbenches.cases.samples import random_inputs, residual
from fxsim.testbenches.run import run
from fxsim.testbenches.test_networks import drawn
from fxsim.testbenches.verify import verify
from fxsim.timing.cycles import predict
from fxsim.timing.depths import with_depths
from tests.graph_strategies import batches_of, graph_networks


def check(network: QuantizedNetwork, batch: Batch, simulator: str, folder: Path) -> None:
    """Every word of every layer and every cycle as predicted, in every pattern of pauses."""
    (result,) = verify(network, vectors={simulator: batch}, seed=5, folder=folder)
    assert (result.messages, result.wrong) == ([], 0)
    assert result.ok
    assert result.latency_measured == result.latency_predicted


@drawn(max_examples=4)
@given(data=st.data())
def test_random_graphs(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    network = data.draw(graph_networks(max_layers=10, max_side=5))
    check(network, batches_of(data.draw, network, 4), "icarus", tmp_path_factory.mktemp("graph"))


@pytest.mark.slow
@drawn(max_examples=25)
@given(data=st.data())
def test_random_graphs_on_both(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    network = data.draw(graph_networks(max_layers=40, max_side=5, recurrent=True))
    leading = (3, 4) if network.recurrent else (8,)
    batch = batches_of(data.draw, network, *leading)
    for simulator in ("icarus", "verilator"):
        check(network, batch, simulator, tmp_path_factory.mktemp("graph"))


@drawn(max_examples=4)
@given(data=st.data())
def test_random_graphs_with_state(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """LSTM layers in any branch, and after images."""
    network = data.draw(graph_networks(max_layers=6, max_side=3, max_items=4, recurrent=True))
    leading = (2, 3) if network.recurrent else (5,)
    batch = batches_of(data.draw, network, *leading)
    check(network, batch, "icarus", tmp_path_factory.mktemp("graph"))


def two_ports() -> QuantizedNetwork:
    """The residual network of the samples, which also shows what its first convolution yields."""
    return with_depths(replace(residual(), outputs=("first", "answer")))


@pytest.mark.parametrize("simulator", ["icarus", "verilator"])
def test_vectors_of_one_output_after_those_of_another(simulator: str, tmp_path: Path) -> None:
    """Whoever drains an output first gets its whole vector, while the queue holds the other."""
    network = two_ports()
    assert network.output_depths["first"] > 36  # more than an image of it, until an answer comes
    batch = {"input": random_inputs(network, 5)}
    (result,) = verify(network, vectors={simulator: batch}, seed=1, folder=tmp_path)
    assert (result.messages, result.wrong) == ([], 0)
    assert result.patterns[-2:] == TURNS


def test_an_output_without_its_queue_hangs_whoever_drains_the_other_first(tmp_path: Path) -> None:
    network = two_ports()
    short = replace(network, output_depths={})
    trace = simulate_trace(network, random_inputs(network, 3))
    job = accelerator_job(short, trace, patterns=TURNS, seed=1)
    result = run(find_simulator("icarus"), accelerator_verilog(short), short.name, job, tmp_path)
    assert result.wrong == 0
    (message,) = result.messages
    assert "in_reverse" in message
    assert "no transfer for" in message


def test_ports_have_the_names_of_inputs_and_layers() -> None:
    network = two_ports()
    manifest = manifest_of(network)
    assert [name for name in manifest if "axis" in name] == [
        "s_axis",
        "m_axis_first",
        "m_axis_answer",
    ]
    verilog = accelerator_verilog(network)
    assert "m_axis_first_tdata" in verilog
    assert "m_axis_tdata" not in verilog


def test_wires_in_place_of_a_queue_hang() -> None:
    network = replace(residual(), depths={})
    with pytest.raises(RangeError, match="deadlock"):
        predict(network)


def recurrent() -> QuantizedNetwork:
    """An LSTM layer of three cells."""
    layer = random_layer(np.random.default_rng(3), 4, 3)
    taken = layer.operands[0]
    source = InputQuantizer(shape=taken.shape, activation=taken.activation, rounding=Rounding.FLOOR)
    return QuantizedNetwork(name="net", data="none", inputs={INPUT: source}, layers=(layer,))


def ways_apart(recurrent_input: str) -> QuantizedNetwork:
    """A slow LSTM layer after one input and a fast product after the other, each with an output."""
    generator = np.random.default_rng(3)
    layer = replace(random_layer(generator, 4, 3), name="memory")
    product = layer.input_product
    folding = replace(product.folding, rows=product.outputs, simd=product.inputs)
    plain = replace(product, name="plain", folding=folding)
    taken = layer.operands[0]
    source = InputQuantizer(shape=taken.shape, activation=taken.activation, rounding=Rounding.FLOOR)
    other = "b" if recurrent_input == "a" else "a"
    network = QuantizedNetwork(
        name="net",
        data="none",
        inputs={"a": source, "b": source},
        layers=(layer, plain),
        sources={"memory": (recurrent_input,), "plain": (other,)},
        outputs=("memory", "plain"),
    )
    return with_depths(network)


@pytest.mark.parametrize("recurrent_input", ["a", "b"])
def test_ends_of_sequences_without_a_part_in_the_first_input(
    recurrent_input: str, tmp_path: Path
) -> None:
    """The end of a sequence is that of the first input: a vector that is ready sooner waits."""
    network = ways_apart(recurrent_input)
    fmt = network.inputs["a"].activation.format
    generator = np.random.default_rng(4)
    batch = {name: generator.integers(fmt.min, fmt.max, (3, 4, 4)) for name in ("a", "b")}
    check(network, batch, "icarus", tmp_path)


def test_ends_of_sequences_wait_in_short_queues(tmp_path: Path) -> None:
    """With the depth that is found vectors are as early as with any; with less they are later."""
    network = with_depths(recurrent())
    assert 1 < network.ends_depth < 16
    fmt = network.input.activation.format
    shape = (3, 6, network.input.tensor.items)
    batch = np.random.default_rng(4).integers(fmt.min, fmt.max, shape, endpoint=True)
    for depth, early in ((network.ends_depth, True), (1, False)):
        again = replace(network, ends_depth=depth)
        (result,) = verify(again, vectors={"icarus": batch}, seed=1, folder=tmp_path / str(depth))
        assert result.wrong == 0
        assert (result.messages == []) is early
