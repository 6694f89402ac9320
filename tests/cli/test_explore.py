import json
import re
import shutil
from dataclasses import replace
from types import SimpleNamespace

import pytest

from fxsim.cost.amounts import SYNTHESISED
from fxsim.explorer.store import open_store, read_store
from fxsim.files import read_yaml, write_yaml
from fxsim.network.storage import load_network, network_hash
from fxsim.spec import load_spec
from tests.caches import own_cache
from tests.commands import fxsim_cli
from tests.places import MODELS

SPACE = {
    "variables": {
        "bits": {"set": ["input.bits"], "to": [2, 4]},
        "weights": {"set": ["layers[0].weights.levels"], "to": [3, 255]},
    },
    "objectives": ["loss", "weight_memory_bits"],
}


@pytest.fixture
def model(tmp_path):
    """The digits network with a small search space beside it."""
    folder = shutil.copytree(MODELS / "digits-mlp-ternary", tmp_path / "model")
    write_yaml(folder / "explore.yaml", SPACE)
    return folder / "spec.yaml"


def test_explore_writes_a_store_a_page_and_the_front(tmp_path, model):
    store, page = tmp_path / "s.sqlite", tmp_path / "page.html"
    result = fxsim_cli("explore", model, "--store", store, "--report", page, "--json")
    found = json.loads(result.stdout)
    assert found["evaluated"] == 4
    assert {row["point"] for row in found["front"]} <= set(range(4))
    shown = json.loads(fxsim_cli("front", store, "--json").stdout)
    assert shown["front"] == found["front"]
    assert shown["facts"]["method"] == "grid"
    assert {"numpy", "fxsim", "python", "optuna"} <= set(shown["facts"]["versions"])
    lines = fxsim_cli("front", store, "--format", "csv").stdout.splitlines()
    assert lines[0].startswith("point,bits,weights,error,loss,")
    assert len(lines) == 1 + len(found["front"])
    assert len(fxsim_cli("front", "--all", store).stdout.splitlines()) == 5
    assert "points evaluated by grid" in fxsim_cli("front", store).stdout
    text = page.read_text()
    for row in found["front"]:
        assert f"--pick={row['point']} -o point{row['point']}.yaml" in text
    for figure in ("pareto0", "heat", "sensitivity", "convergence"):
        assert f'aria-label="{figure}' in text
    assert not re.search(r'(?:src|href)="[^#]', text)
    assert "<script" not in text


def test_explore_is_resumed_and_refuses_what_differs(tmp_path, model):
    store = tmp_path / "s.sqlite"
    fxsim_cli("explore", model, "--store", store)
    first = fxsim_cli("front", "--all", store).stdout
    assert "give --resume" in fxsim_cli("explore", model, "--store", store, status=1).stderr
    fxsim_cli("explore", model, "--store", store, "--resume")
    assert fxsim_cli("front", "--all", store).stdout == first
    other = fxsim_cli("explore", model, "--store", store, "--resume", "--seed=2", status=1)
    assert "was made with seed 1, not 2" in other.stderr
    facts = {"hash": "x"}
    with open_store(tmp_path / "t.sqlite", facts, resume=False):
        busy = fxsim_cli("explore", model, "--store", tmp_path / "t.sqlite", status=1)
    assert "another run is writing" in busy.stderr


def test_a_picked_point_is_the_network_that_was_evaluated(tmp_path, model):
    store, chosen = tmp_path / "s.sqlite", tmp_path / "point.yaml"
    fxsim_cli("explore", model, "--store", store)
    fxsim_cli("explore", model, "--pick", 2, "-o", chosen)
    spec = load_spec(chosen)
    assert (spec.input.bits, spec.layers[0].weights.levels) == (4, 3)
    options = ("--checkpoint", model.with_name("checkpoint.npz"), "--direct")
    fxsim_cli("quantize", chosen, *options, "-o", tmp_path / "network")

    from fxsim import data
    from fxsim.explorer.evaluate import Evaluator
    from fxsim.explorer.job import make_job
    from fxsim.explorer.space import load_space
    from fxsim.floats.checkpoint import load_checkpoint

    base = load_spec(model)
    space = load_space(base, "s", model.with_name("explore.yaml"))
    checkpoint = load_checkpoint(model.with_name("checkpoint.npz"), base)
    evaluator = Evaluator(make_job(space, checkpoint, data.load("digits")))
    network = load_network(tmp_path / "network")
    assert network_hash(network) == network_hash(evaluator.network((1, 0)))
    with read_store(store) as opened:
        assert opened.predicted()[1, 0].metrics == evaluator((1, 0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--pick", 9, "-o", "x.yaml"), "point must be from 0 to 3, not 9"),
        (("--method", "grids"), "unknown method 'grids'; did you mean 'grid'?"),
        (
            ("--budget", 3),
            "budget must be at least 4, the points of the grid, not 3; or give another",
        ),
        (("--space", "none.yaml"), "none.yaml: not found"),
    ],
)
def test_errors_are_one_line(tmp_path, model, arguments, message):
    result = fxsim_cli("explore", model, "--store", tmp_path / "s", *arguments, status=1)
    assert message in result.stderr
    assert len([line for line in result.stderr.splitlines() if "error" in line]) == 1


def test_pick_needs_a_file(model):
    assert fxsim_cli("explore", model, "--pick", 1, status=2)


@pytest.mark.parametrize(("part", "dsp"), [("ice40up5k", True), ("ice40hx8k", False)])
def test_products_are_logic_where_a_part_has_no_dsp_blocks(part, dsp):
    from fxsim.cli.synthesis import synthesis

    assert synthesis("ice40", part).dsp == dsp
    assert synthesis("ice40").dsp


def test_cells_are_measured_and_the_front_is_verified(tmp_path, model, monkeypatch):
    """Synthesis and simulators are replaced here; their own tests run them."""
    from fxsim.cli import synthesis
    from fxsim.testbenches import verify

    write_yaml(model.with_name("explore.yaml"), SPACE | {"objectives": ["loss", "lut"]})
    counted, streamed = [], []
    allowed = set()

    class Generated:
        def __init__(self, network):
            self.network = network

        def texts(self, paths):
            return {path: f"{network_hash(self.network)} {path}" for path in paths}

        def synthesise(self, target, missing, known, *, dsp):
            counted.append(target)
            allowed.add(dsp)
            bits = self.network.input.activation.format.bits
            levels = self.network.layers[0].weight_format.bits
            return {
                path: dict.fromkeys(SYNTHESISED, 0.0 if path else 100.0 * bits + levels)
                for path in missing
            }

    def regression(network, *, vectors, seed, folder):
        (x,) = vectors.values()
        streamed.append((network_hash(network), len(x)))
        wrong = network.input.activation.format.bits == 2 and fail
        return [
            SimpleNamespace(
                ok=not wrong,
                simulator="verilator",
                version="5",
                words=7,
                wrong=int(wrong),
                vectors=len(x),
                latency_measured=9,
                interval_measured=3,
                messages=["differs"] if wrong else [],
                unwritten=None,
            )
        ]

    monkeypatch.setattr(synthesis, "generate", Generated)
    monkeypatch.setattr(verify, "verify", regression)
    monkeypatch.setenv(*own_cache(tmp_path / "cache"))
    fail = False
    store = tmp_path / "s.sqlite"
    page = tmp_path / "page.html"
    command = ("explore", model, "--store", store, "--verify-front", "--resume", "--report", page)
    found = json.loads(fxsim_cli(*command, "--json").stdout)
    assert set(counted) == {"xc7"}
    assert len(counted) == 4
    assert allowed == {True}
    for row in found["front"]:
        assert row["measured"]
        bits = {3: 2, 255: 8}[row["values"]["weights"]]
        assert row["metrics"]["lut"] == 100.0 * row["values"]["bits"] + bits
        assert row["verified"]["exact"]
        assert (row["verified"]["latency"], row["verified"]["interval"]) == (9, 3)
    assert len(streamed) == len(found["front"])
    assert {count for _, count in streamed} == {200}
    assert page.read_text().count("bit-exact, 9 cycles") == len(found["front"])
    assert "Cost model" in page.read_text()
    fxsim_cli(*command)
    assert len(streamed) == len(found["front"])  # known from the store
    fail = True
    other = ("explore", model, "--store", tmp_path / "t.sqlite", "--verify-front")
    result = fxsim_cli(*other, status=1)
    assert "not bit-exact" in result.stderr
    assert "DIFFERS" in result.stdout


SPACES = sorted(path.parent.name for path in MODELS.glob("*/explore.yaml"))


def test_there_is_a_space_for_each_sort_of_network():
    assert {
        "charlm-lstm-int8",
        "digits-mlp-ternary",
        "handwriting-lenet-ternary",
        "phonemes-mlp-ternary",
    } <= set(SPACES)


@pytest.mark.parametrize("name", SPACES)
def test_a_point_of_each_shipped_space_is_the_network_that_quantize_makes(name):
    from fxsim import data
    from fxsim.data import Split
    from fxsim.explorer.evaluate import Evaluator
    from fxsim.explorer.job import make_job
    from fxsim.explorer.space import load_space
    from fxsim.floats.checkpoint import load_checkpoint
    from fxsim.quantizer import quantize
    from fxsim.simulator.evaluate import accuracy

    spec = load_spec(MODELS / name / "spec.yaml")
    space = load_space(spec, "s", MODELS / name / "explore.yaml")
    checkpoint = load_checkpoint(MODELS / name / "checkpoint.npz", spec)
    job = make_job(space, checkpoint, data.load(spec.data, spec.input.shape))
    some = Split(job.validation.x[:40], job.validation.y[:40])
    job = replace(job, validation=some, calibration=job.calibration[:50])
    assert space.size > 100
    cheap, fine = (0,) * len(space.sizes), space.finest
    evaluate, found = Evaluator(job), {}
    for point in (cheap, fine):
        found[point] = evaluate(point)
        network = quantize(space.apply(point), checkpoint, job.calibration, direct=True)
        assert found[point]["error"] == 1.0 - accuracy(network, some)
        assert network_hash(evaluate.network(point)) == network_hash(network)
    for metric in ("loss", "energy"):
        assert (found[cheap][metric] > found[fine][metric]) == (metric == "loss")


@pytest.mark.parametrize("scheme", ["gradual", "adaptive"])
def test_the_front_is_tested_and_retrained_with_the_scheme(tmp_path, model, scheme):
    store, page = tmp_path / "s.sqlite", tmp_path / "page.html"
    spec = read_yaml(model)
    spec["retrain"]["epochs"] = 1
    write_yaml(model, spec)
    command = ("explore", model, "--store", store, "--report", page, "--retrain-front")
    found = json.loads(fxsim_cli(*command, "--scheme", scheme, "--json").stdout)
    for row in found["front"]:
        recipe = row["retrained"]["recipe"]
        assert recipe["scheme"] == ("adaptive" if scheme == "adaptive" else "fixed")
        assert recipe["gradual"] == ([63, 15, 7] if scheme == "gradual" else [])
        assert 0 <= row["retrained"]["test"]["error"] < 0.5
        assert 0 <= row["test"]["error"] < 0.5
    shown = fxsim_cli("front", store).stdout
    assert "retrained test error" in shown
    text = page.read_text()
    assert "Test error, retrained" in text
    assert "front, retrained" in text
    for point in found["front"]:
        checkpoint = point["retrained"]["checkpoint"]
        number = point["point"]
        again = f"fxsim quantize point{number}.yaml --checkpoint={checkpoint} -o point{number} "
        assert again in text.replace("&amp;", "&")
    row = found["front"][0]
    chosen, made = tmp_path / "point.yaml", tmp_path / "made"
    fxsim_cli("explore", model, "--pick", row["point"], "-o", chosen)
    checkpoint = row["retrained"]["checkpoint"]
    fxsim_cli("quantize", chosen, "--checkpoint", checkpoint, "-o", made)
    found = json.loads(fxsim_cli("simulate", made, "--json").stdout)
    assert found["accuracy_fixed"] == pytest.approx(
        1 - row["retrained"]["test"]["error"], abs=1e-12
    )


def test_options_of_the_front_are_checked_before_anything_takes_time(tmp_path, model):
    store = ("--store", tmp_path / "s")
    fxsim_cli("explore", model, *store, "--scheme", "gradual", status=2)
    other = fxsim_cli("explore", model, *store, "--clock", status=1)
    assert "target must be one of ecp5, ice40 for a clock, not 'xc7'" in other.stderr
    spec = read_yaml(model)
    del spec["retrain"]
    write_yaml(model, spec)
    other = fxsim_cli("explore", model, *store, "--retrain-front", status=1)
    assert "retrain is missing; --retrain-front needs its recipe" in other.stderr
