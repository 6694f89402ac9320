"""Whole networks: shipped and random ones, awkward names, broken frames, resets in mid-stream."""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from fxsim import data
from fxsim.hw import emit
from fxsim.network import Folding, IntArray, QuantizedNetwork
from fxsim.reference import run as run_reference
from fxsim.simulator.inputs import as_input
from fxsim.simulator.simulator import simulate_trace
from fxsim.simulator.trace import Trace
from fxsim.testbenches.accelerator import accelerator_job
from fxsim.testbenches.bench.job import PATTERNS, RESTART
from fxsim.testbenches.bench.simulators import SIMULATORS, find_simulator
from fxsim.testbenches.cases.samples import MODELS, chain, random_inputs, row, shipped
from fxsim.testbenches.run import run
from fxsim.testbenches.verify import verify
from fxsim.timing.cycles import completion_times
from tests.strategies import batches, networks

DIGITS = {"verilator": 360, "icarus": 40}


def check(network: QuantizedNetwork, vectors: Mapping[str, IntArray], folder: Path) -> None:
    """All patterns, every word of every layer, every completion cycle."""
    for result in verify(network, vectors=vectors, seed=5, folder=folder):
        assert result.messages == []
        assert (result.tests, result.wrong) == (len(PATTERNS), 0)
        count = len(vectors[result.simulator])
        probed = sum(-(-layer.outputs // layer.lanes_out) for layer in network.layers)
        last = network.layers[-1]
        sent = -(-last.outputs // last.lanes_out)
        assert result.words == len(PATTERNS) * count * (probed + sent)
        assert result.latency_measured == result.latency_predicted
        if count > 1:
            assert result.interval_measured is not None


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("model", MODELS)
def test_shipped_model(model: str, simulator: str, tmp_path: Path) -> None:
    network = shipped(model)
    digits = as_input(network, data.load(network.data).test.x)[: DIGITS[simulator]]
    assert len(digits) == DIGITS[simulator]
    check(network, {simulator: digits}, tmp_path)


def drawn(max_examples: int) -> settings:
    """Hypothesis without a memory: the same networks in every run, and a failure is not shrunk."""
    return settings(
        max_examples=max_examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
    )


@drawn(max_examples=8)
@given(drawn_data=st.data())
def test_random_network_on_icarus(
    drawn_data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    network = drawn_data.draw(networks(max_size=40))
    batch = drawn_data.draw(batches(network, 7))
    check(network, {"icarus": batch}, tmp_path_factory.mktemp("random"))


@drawn(max_examples=2)
@given(drawn_data=st.data())
def test_random_network_on_verilator(
    drawn_data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    network = drawn_data.draw(networks(max_size=12))
    batch = drawn_data.draw(batches(network, 7))
    check(network, {"verilator": batch}, tmp_path_factory.mktemp("random"))


@pytest.mark.parametrize(
    "folding",
    [
        Folding(rows=1, simd=1),
        Folding(rows=7, simd=7),
        Folding(rows=1, simd=7),
        Folding(rows=7, simd=1),
        Folding(rows=4, simd=5, pad=True),
        Folding(rows=2, simd=6, pad=True),
    ],
    ids=lambda folding: f"{folding.rows}x{folding.simd}",
)
def test_folding_extremes(folding: Folding, tmp_path: Path) -> None:
    network = chain(["layer0", "layer1"], size=7, folding=folding)
    check(network, {"icarus": random_inputs(network, 9)}, tmp_path)


def test_tiles_that_leave_faster_than_they_are_taken(tmp_path: Path) -> None:
    """The second layer gives a tile a cycle, and the third takes it in two.

    It stops with what comes after the tile, so the second vector is a cycle later than its own
    layers would make it, as the machine of `fxsim.timing` says; a word waits in the skid buffer
    then, and so the fourth is, too.
    """
    foldings = [Folding(rows=1, simd=1), Folding(rows=2, simd=9), Folding(rows=1, simd=1)]
    network = row(["slow", "fast", "last"], sizes=[1, 9, 8, 1], foldings=foldings)
    times = completion_times(network, 9)
    assert [after - before for before, after in pairwise(times)] == [10, 9, 10, *[9] * 5]
    check(network, {"icarus": random_inputs(network, 9)}, tmp_path)


def test_single_values(tmp_path: Path) -> None:
    network = chain(["layer0", "layer1"], size=1, folding=Folding(rows=1, simd=1))
    check(network, {"icarus": random_inputs(network, 9)}, tmp_path)


@pytest.mark.parametrize(
    "names",
    [
        ["aclk", "clk", "rst", "aresetn"],
        ["s_axis", "s_axis_tdata", "m_axis_tdata", "m_axis_tlast", "frame_error"],
        ["mac_array", "requantizer", "input_widen", "output_narrow"],
        ["chain", "s_axis_beat", "m_axis_last", "link", "sync"],
        ["i", "o", "row0", "word"],
    ],
    ids=" ".join,
)
def test_names_that_the_hardware_uses_too(names: list[str], tmp_path: Path) -> None:
    network = chain(names)
    check(network, {"icarus": random_inputs(network, 5)}, tmp_path)


@pytest.fixture(scope="module")
def digits_trace() -> tuple[QuantizedNetwork, Trace]:
    network = shipped(MODELS[0])
    return network, simulate_trace(network, data.load(network.data).test.x[:6])


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_reset(
    digits_trace: tuple[QuantizedNetwork, Trace], simulator: str, tmp_path: Path
) -> None:
    """A reset clears all that was."""
    network, trace = digits_trace
    job = accelerator_job(network, trace, patterns=[*PATTERNS, RESTART], seed=2)
    verilog = emit.accelerator_verilog(network)
    result = run(find_simulator(simulator), verilog, network.name, job, tmp_path)
    assert result.messages == []
    assert result.tests == len(PATTERNS) + 1


def test_simulator_agrees_with_reference_on_the_vectors_used(
    digits_trace: tuple[QuantizedNetwork, Trace],
) -> None:
    network, trace = digits_trace
    for vector, *seen in zip(
        trace.input.tolist(),
        *(layer.activations.tolist() for layer in trace.layers),
        strict=True,
    ):
        assert [result.activations for result in run_reference(network, vector)] == seen
