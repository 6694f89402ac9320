import json
import re
import shutil
from types import SimpleNamespace

import pytest

from fxsim.explore import synth_cache
from fxsim.explore.metrics import SYNTHESISED
from fxsim.explore.store import open_store, read_store
from fxsim.files import read_yaml, write_yaml
from fxsim.spec import load_spec
from fxsim.storage import load_network, network_hash
from tests.fxsim.test_cli import MODELS, fxsim_cli

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
    from fxsim.checkpoint import load_checkpoint
    from fxsim.explore.evaluate import Evaluator
    from fxsim.explore.job import make_job
    from fxsim.explore.space import load_space

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
        (("--budget", 3), "the grid has 4 points; give a budget of so many"),
        (("--space", "none.yaml"), "none.yaml: not found"),
    ],
)
def test_errors_are_one_line(tmp_path, model, arguments, message):
    result = fxsim_cli("explore", model, "--store", tmp_path / "s", *arguments, status=1)
    assert message in result.stderr
    assert len([line for line in result.stderr.splitlines() if "error" in line]) == 1


def test_pick_needs_a_file(model):
    assert fxsim_cli("explore", model, "--pick", 1, status=2)


def test_cells_are_measured_and_the_front_is_verified(tmp_path, model, monkeypatch):
    """Synthesis and simulators are replaced here; their own tests run them."""
    from fxsim.cli import synthesis
    from testbenches import verify

    write_yaml(model.with_name("explore.yaml"), SPACE | {"objectives": ["loss", "lut"]})
    counted, streamed = [], []

    def synthesise(network, target):
        counted.append(target)
        bits = network.input.activation.format.bits
        levels = network.layers[0].weight_format.bits
        return dict.fromkeys(SYNTHESISED, 100.0 * bits + levels)

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
            )
        ]

    monkeypatch.setattr(synthesis, "synthesise", synthesise)
    monkeypatch.setattr(verify, "verify", regression)
    monkeypatch.setattr(synth_cache, "cache_folder", lambda: tmp_path / "cache")
    fail = False
    store = tmp_path / "s.sqlite"
    page = tmp_path / "page.html"
    command = ("explore", model, "--store", store, "--verify-front", "--resume", "--report", page)
    found = json.loads(fxsim_cli(*command, "--json").stdout)
    assert set(counted) == {"xc7"}
    assert len(counted) == 4
    for row in found["front"]:
        assert row["measured"]
        bits = {3: 2, 255: 8}[row["values"]["weights"]]
        assert row["metrics"]["lut"] == 100.0 * row["values"]["bits"] + bits
        assert row["verified"]["exact"]
        assert (row["verified"]["latency"], row["verified"]["interval"]) == (9, 3)
    assert len(streamed) == len(found["front"])
    assert {count for _, count in streamed} == {200}
    assert page.read_text().count("bit-exact, 7 words; 9 cycles") == len(found["front"])
    assert "Cost model" in page.read_text()
    fxsim_cli(*command)
    assert len(streamed) == len(found["front"])  # known from the store
    fail = True
    other = ("explore", model, "--store", tmp_path / "t.sqlite", "--verify-front")
    result = fxsim_cli(*other, status=1)
    assert "not bit-exact" in result.stderr
    assert "DIFFERS" in result.stdout


def test_the_shipped_spaces_are_valid():
    for path in MODELS.glob("*/explore.yaml"):
        from fxsim.explore.space import load_space

        space = load_space(load_spec(path.with_name("spec.yaml")), "s", path)
        assert space.size > 100
        assert read_yaml(path)["objectives"]
