"""LSTM networks: Verilog equal to the simulator at every step, h and c, and to the cycle model."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fxsim.data import Dataset, Split, load
from fxsim.floats.checkpoint import Checkpoint, LinearParameters
from fxsim.hw.emit import accelerator_verilog, memory_files
from fxsim.network import FloatArray, IntArray, QuantizedLstm, QuantizedNetwork
from fxsim.plan.planner import plan_network
from fxsim.quantizer import quantize
from fxsim.simulator.inputs import as_input
from fxsim.simulator.simulator import simulate_trace
from fxsim.spec import parse_spec
from fxsim.testbenches.accelerator import accelerator_job
from fxsim.testbenches.bench.simulators import SIMULATORS, find_simulator
from fxsim.testbenches.cases.samples import shipped
from fxsim.testbenches.run import run
from fxsim.testbenches.verify import verify
from fxsim.timing.cycles import completion_times, predict
from fxsim.training import train
from tests.lstm_strategies import recurrent_networks, sequences
from tests.oracles import cycles as closed


def check(network: QuantizedNetwork, x: IntArray, simulator: str, folder: Path) -> None:
    """All pause patterns: every output and every cell state of every step, and every cycle."""
    (result,) = verify(network, vectors={simulator: x}, seed=3, folder=folder)
    assert result.messages == []
    assert (result.tests, result.wrong) == (4, 0)
    assert result.words > 0
    assert result.latency_measured == result.latency_predicted


@settings(
    max_examples=10,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(data=st.data())
def test_random_networks_on_icarus(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    network = data.draw(recurrent_networks())
    x = data.draw(sequences(network, 3, 4))
    check(network, x, "icarus", tmp_path_factory.mktemp("job"))


def one_hot(count: int, steps: int, size: int, seed: int) -> FloatArray:
    """Random symbols as sequences."""
    return np.eye(size)[np.random.default_rng(seed).integers(size, size=(count, steps))]


def lstm_network(**layer: object) -> QuantizedNetwork:
    """An LSTM layer of 8 cells and a fully connected one, with random parameters."""
    spec = parse_spec(
        {
            "name": "n",
            "data": "none",
            "input": {"shape": [6], "bits": 1},
            "layers": [{"type": "lstm", "cells": 8, **layer}, {"type": "linear", "units": 3}],
        },
        "t",
    )
    generator = np.random.default_rng(4)
    parent = {
        product.name: LinearParameters(
            weight=generator.normal(size=(product.outputs, product.inputs)),
            bias=generator.normal(size=product.outputs) / 2,
        )
        for product in spec.products
    }
    return quantize(spec, Checkpoint(parent=parent), one_hot(20, 10, 6, seed=1))


def lstm_of(network: QuantizedNetwork) -> QuantizedLstm:
    """The first layer."""
    return network.lstms[0]


@pytest.mark.parametrize("multipliers", [1, 3])
@pytest.mark.parametrize(
    ("step_bits", "hidden", "shape"),
    [
        (0, {"rows": 32, "simd": 8}, "a vector a beat: the elementwise unit sets the pace"),
        (2, {"rows": 32, "simd": 8}, "the same with interpolated tables"),
        (0, {"rows": 16, "simd": 2}, "cells as they come"),
        (1, {"rows": 2, "simd": 1}, "cells far apart: the pipeline runs empty between them"),
        (0, {"rows": 6, "simd": 3, "pad": True}, "rows that are no whole cells"),
    ],
)
def test_multipliers(
    multipliers: int, step_bits: int, hidden: dict[str, object], shape: str, tmp_path: Path
) -> None:
    """Shared or parallel, ``shape`` being what the folding of U h asks of the elementwise unit."""
    network = lstm_network(
        tables={"step_bits": step_bits}, hardware={"hidden": hidden, "multipliers": multipliers}
    )
    assert lstm_of(network).multipliers == multipliers
    check(network, as_input(network, one_hot(2, 6, 6, seed=2)), "icarus", tmp_path)


def test_a_shared_multiplier_costs_cycles_where_cells_come_fast() -> None:
    def interval(multipliers: int, rows: int, simd: int) -> int:
        hardware = {
            "input": {"rows": 32, "simd": 6},
            "hidden": {"rows": rows, "simd": simd},
            "multipliers": multipliers,
        }
        return predict(lstm_network(hardware=hardware)).interval

    # All cells come at once: 8 take 7 cycles more than one, or 3 * 7, and its latency is one more.
    assert interval(1, 32, 8) - interval(3, 32, 8) >= 2 * 7
    assert interval(1, 2, 1) - interval(3, 2, 1) <= 3


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize(
    ("weights", "multipliers"), [({"levels": 3}, 1), ({"levels": 256, "scheme": "asymmetric"}, 3)]
)
def test_trained_projection(
    weights: dict[str, object], simulator: str, multipliers: int, tmp_path: Path
) -> None:
    """A layer with a projection, trained for a moment on a text that repeats itself."""
    spec = parse_spec(
        {
            "name": "trained",
            "data": "none",
            "input": {"shape": [4], "bits": 1},
            "layers": [
                {
                    "type": "lstm",
                    "cells": 8,
                    "weights": weights,
                    "projection": {"units": 4, "weights": weights},
                    "hardware": {
                        "hidden": {"rows": 8, "simd": 2},
                        "projection": {"rows": 2, "simd": 4},
                        "multipliers": multipliers,
                    },
                },
                {"type": "linear", "units": 4},
            ],
            "train": {"optimizer": {"type": "adam", "lr": 0.03}, "batch": 10, "epochs": 3},
            "retrain": {"optimizer": {"type": "adam", "lr": 0.02}, "epochs": 2},
        },
        "t",
    )
    ids = np.tile([0, 1, 1, 2, 3], 200)[:991]
    split = Split(np.eye(4)[ids[:-1].reshape(-1, 10)], ids[1:].reshape(-1, 10))
    dataset = Dataset("d", split, split, 4)
    network = quantize(spec, train(spec, dataset), split.x[:30])
    layer = lstm_of(network)
    assert layer.projection is not None
    x = as_input(network, split.x[:6])
    assert len(np.unique(simulate_trace(network, x).layers[0].activations)) > 10
    (result,) = verify(network, vectors={simulator: x}, seed=3, folder=tmp_path)
    assert (result.messages, result.tests, result.wrong) == ([], 4, 0)
    assert result.latency_measured == result.latency_predicted
    # 4 patterns of 60 vectors: c of 8 cells, h of 4 by its lanes, the logits inside and outside.
    lanes = layer.lanes_out
    assert result.words == 4 * 60 * (8 + 4 // lanes + 4 + 4)


CHARLM = ("charlm-lstm-ternary", "charlm-lstm-int8")


@pytest.mark.parametrize("model", CHARLM)
def test_a_step_of_the_shipped_networks_is_little_more_than_its_products(model: str) -> None:
    """64 cells and 64 multipliers for U h: at most 1.055 of its cycles."""
    network = shipped(model)
    layer = lstm_of(network)
    folding = layer.hidden_product.folding
    assert (layer.cells, folding.rows * folding.simd, layer.multipliers) == (64, 64, 3)
    assert predict(network).interval <= 1.055 * 256


@pytest.mark.slow
@pytest.mark.parametrize(("simulator", "sequences"), [("verilator", 10), ("icarus", 1)])
@pytest.mark.parametrize("model", CHARLM)
def test_shipped_network(model: str, simulator: str, sequences: int, tmp_path: Path) -> None:
    """100 steps of real text on Icarus, 1000 on Verilator."""
    network = shipped(model)
    x = as_input(network, load(network.data).test.x[:sequences])
    assert x.shape[:2] == (sequences, 100)
    check(network, x, simulator, tmp_path)


def test_a_projection_is_fed_back_in_narrower_words(tmp_path: Path) -> None:
    """Two values a cycle leave, U h takes one: the last of an odd number waits for that."""
    projection = {"units": 5, "weights": {"levels": 7}}
    hardware = {
        "input": {"rows": 1, "simd": 6},
        "hidden": {"rows": 1, "simd": 1},
        "projection": {"rows": 4, "simd": 3, "pad": True},
    }
    network = lstm_network(cells=4, projection=projection, hardware=hardware)
    layer = lstm_of(network)
    assert (layer.lanes_out, layer.hidden_product.folding.simd) == (2, 1)
    network = replace(network, layers=(layer,))
    check(network, one_hot(2, 5, 6, seed=1).astype(np.int64), "icarus", tmp_path)


@pytest.mark.parametrize(
    ("cells", "units", "lanes", "why"),
    [
        (6, 7, [(10, 3), (15, 1), (3, 4)], "a tile of U h is padded, h comes in narrower words"),
        (3, 5, [(9, 5), (5, 1), (4, 1)], "the same for few cells"),
        (9, None, [(3, 5), (24, 2)], "a later layer takes longer for h than h does"),
    ],
)
def test_blocks_around_the_loop_that_wait(
    cells: int, units: int | None, lanes: list[tuple[int, int]], why: str, tmp_path: Path
) -> None:
    """Later than closed forms say, which know no block that waits, in the cycles of the machine."""
    names = ("input", "hidden", "projection")
    foldings = [{"rows": rows, "simd": simd, "pad": True} for rows, simd in lanes]
    hardware = dict(zip(names, foldings, strict=False)) | {"multipliers": 1 if units else 3}
    layer = {"projection": {"units": units, "weights": {"levels": 7}}} if units else {}
    network = lstm_network(cells=cells, hardware=hardware, **layer)
    if units:
        network = replace(network, layers=network.layers[:1])
    times, soonest = completion_times(network, 12), closed.completion_times(network, 12)
    assert times[-1] > soonest[-1], why
    check(network, as_input(network, one_hot(2, 6, 6, seed=2)), "icarus", tmp_path)


def test_words_of_a_projection_that_fit_no_words_of_the_loop(tmp_path: Path) -> None:
    """Lanes of 3 to lanes of 2: words are widened to 6 and narrowed again on the way back."""
    hardware = {
        "hidden": {"rows": 8, "simd": 2},
        "projection": {"rows": 6, "simd": 4, "pad": True},
    }
    projection = {"units": 6, "weights": {"levels": 7}}
    network = lstm_network(cells=8, projection=projection, hardware=hardware)
    assert lstm_of(network).lanes_out == 3
    check(network, as_input(network, one_hot(2, 6, 6, seed=2)), "icarus", tmp_path)


@pytest.mark.parametrize("rows", [2, 32])
def test_words_that_come_right_after_reset(rows: int, tmp_path: Path) -> None:
    """The first vector waits for U h of the zeros that a sequence starts from."""
    hardware = {"input": {"rows": 32, "simd": 6}, "hidden": {"rows": rows, "simd": 2}}
    network = lstm_network(hardware=hardware)
    x = as_input(network, one_hot(2, 6, 6, seed=2))
    check_after_reset(network, x, "icarus", tmp_path)


def test_the_character_lstm_right_after_reset(tmp_path: Path) -> None:
    network = shipped("charlm-lstm-ternary")
    assert predict(network).after_reset > predict(network).latency
    check_after_reset(network, as_input(network, one_hot(1, 4, 96, seed=2)), "verilator", tmp_path)


def check_after_reset(network: QuantizedNetwork, x: IntArray, simulator: str, folder: Path) -> None:
    """Words and cycles where the first word comes in the first cycle after reset."""
    trace = simulate_trace(network, x)
    job = accelerator_job(network, trace, patterns=["none"])
    job = replace(job, settle=0, registers=None)  # no halt for registers before the first word
    result = run(
        *(find_simulator(simulator), accelerator_verilog(network), network.name, job, folder),
        memories=memory_files(network),
    )
    assert result.messages == []
    (outcome,) = result.outcomes
    (seen,) = outcome["devices"]
    count, vectors = plan_network(network).output.count, x.shape[0] * x.shape[1]
    measured = [cycle - seen["inputs"][0] for cycle in seen["outputs"][count - 1 :: count]]
    times = completion_times(network, vectors, rests=False)
    assert measured == [time - 1 for time in times]  # a cycle after reset the first word comes
    assert measured[0] > completion_times(network, vectors)[0]
