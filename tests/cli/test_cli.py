import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import fxsim
from fxsim import reference
from fxsim.cli.lookup import find_network
from fxsim.cli.options import Simulator
from fxsim.network.storage import network_hash, save_network
from fxsim.targets.registry import DEFAULT, TARGETS
from tests.caches import own_cache
from tests.commands import TERNARY, fxsim_cli, fxsim_process, small_network
from tests.places import MODELS

COMMANDS = (
    *("codesign", "train", "quantize", "info", "simulate", "sample", "generate", "verify"),
    *("synth", "fold"),
)


@pytest.fixture
def small(tmp_path):
    """Folder of `small_network`."""
    save_network(small_network(), tmp_path / "little")
    return tmp_path / "little"


def test_help_names_every_command_in_one_line():
    text = fxsim_cli("--help").stdout
    for command in COMMANDS:
        (line,) = [line for line in text.splitlines() if line.startswith(f"│ {command} ")]
        assert line.rstrip(" │").endswith(".")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_json(command):
    text = fxsim_cli(command, "--help").stdout
    assert "--json" in text
    assert "SPEC" in text if command in ("train", "quantize") else "NETWORK" in text


def test_help_is_quick_and_imports_nothing_heavy():
    heavy = ["numpy", "numba", "torch", "matplotlib", "sklearn", "pydantic", "amaranth", "yaml"]
    code = f"import sys, fxsim.cli; print([name for name in {heavy} if name in sys.modules])"
    start = time.perf_counter()
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
    assert time.perf_counter() - start < 5  # about 0.2 s; the bound is for a crowded machine


def test_version():
    assert fxsim_cli("--version").stdout == f"fxsim {fxsim.__version__}\n"


def test_choices_are_those_of_the_tools():
    from fxsim.testbenches.bench.simulators import SIMULATORS

    assert tuple(Simulator) == SIMULATORS


@pytest.mark.parametrize("command", ["synth", "codesign"])
def test_targets_are_those_of_the_registry(command, small, tmp_path):
    text = " ".join(fxsim_cli(command, "--help").stdout.split())
    assert all(f"{name}" in text for name in TARGETS)
    out = ["-o", tmp_path / "out"] if command == "codesign" else []
    wrong = fxsim_cli(command, small, "--target", "gowim", *out, status=2)
    said = " ".join(wrong.stderr.replace("│", " ").split())
    assert "Invalid value for '--target': unknown target 'gowim'; did you mean 'gowin'?" in said
    assert not (tmp_path / "out").exists()


def test_names_take_dashes_and_underscores(monkeypatch, tmp_path, small):
    here = find_network(TERNARY)
    assert find_network("digits_mlp-TERNARY") == here
    monkeypatch.chdir(tmp_path)
    assert find_network(TERNARY).is_absolute()  # of the checkout
    save_network(small_network(), tmp_path / "models" / TERNARY)
    assert find_network(TERNARY) == Path("models") / TERNARY
    assert find_network("little") == Path("little")


def test_info(small):
    text = fxsim_cli("info", small).stdout
    assert network_hash(small_network()) in text
    for part in ("first", "int2n", "int9", "uint5", "latency", "interval 4 (set by first)"):
        assert part in text
    facts = json.loads(fxsim_cli("info", small, "--json").stdout)
    assert facts["hash"] == network_hash(small_network())
    (layer,) = facts["layers"]
    expected = {"levels": 3, "rows": 2, "simd": 3, "memory_bits": 48, "interval": 4}
    assert {key: layer[key] for key in expected} == expected


def test_output_is_plain_text_without_a_terminal(small):
    result = fxsim_process("info", small, env={**os.environ, "COLUMNS": "40"})
    assert result.returncode == 0
    assert "\x1b" not in result.stdout
    assert result.stderr == ""
    rows = [line.split() for line in result.stdout.splitlines() if line.startswith("first ")]
    # Whole rows on one line, however narrow the terminal claims to be.
    assert rows == [
        ["first", "6", "4", "int2n", "3", "int9", "wide", "uint5"],
        ["first", "2", "3", "False", "48", "4", "100%"],
    ]


def test_tables_fit_80_columns():
    for command in (("info", TERNARY), ("simulate", TERNARY, "--trace")):
        lines = fxsim_cli(*command).stdout.splitlines()
        assert max(len(line.rstrip()) for line in lines if not line.startswith("digits")) <= 80


def test_simulate_a_data_set():
    facts = json.loads(fxsim_cli("simulate", TERNARY, "--trace", "--json").stdout)
    assert (facts["data"], facts["samples"]) == ("digits:test", 360)
    assert 0.95 < facts["accuracy_fixed"] <= 1
    assert 0.95 < facts["accuracy_float"] <= 1
    assert [layer["overflows"] for layer in facts["layers"]] == [0, 0, 0]
    text = fxsim_cli("simulate", TERNARY, "--data", "digits:train").stdout
    assert "1437 samples of digits:train" in text
    assert text.count(" %") == 2


def test_simulate_without_a_checkpoint_says_so(tmp_path):
    from fxsim.network.storage import load_network

    save_network(load_network(find_network(TERNARY)), tmp_path / "bare")
    assert "no float accuracy" in fxsim_cli("simulate", tmp_path / "bare").stdout
    facts = json.loads(fxsim_cli("simulate", tmp_path / "bare", "--json").stdout)
    assert facts["accuracy_float"] is None


@pytest.mark.parametrize("scale", [1, 0.25])
def test_simulate_a_file(small, tmp_path, scale):
    q = np.random.default_rng(3).integers(0, 16, size=(20, 6))
    np.save(tmp_path / "x.npy", q * scale)  # integers as they are, or floats to be quantized
    if scale == 1:
        np.save(tmp_path / "x.npy", q.astype(np.uint8))
    y = tmp_path / "new" / "y.npy"
    text = fxsim_cli("simulate", small, "--input", tmp_path / "x.npy", "-o", y, "--trace").stdout
    assert str(y) in text
    expected = [reference.run(small_network(), row)[-1].activations for row in q.tolist()]
    result = np.load(y)
    assert result.dtype == np.int64
    assert result.tolist() == expected


def test_generate(small, tmp_path):
    from fxsim.hw.emit import accelerator_verilog

    result = fxsim_cli("generate", small, "-o", tmp_path / "a" / "b", "--json")
    files = [Path(name) for name in json.loads(result.stdout)["files"]]
    assert [file.name for file in files] == ["little.v", "manifest.json"]
    assert files[0].read_text() == accelerator_verilog(small_network())
    assert json.loads(files[1].read_text())["network_hash"] == network_hash(small_network())


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Keep simulator builds of a test to itself."""
    monkeypatch.setenv(*own_cache(tmp_path / "cache"))


def test_verify_finds_equal_words(small, tmp_path, cache):
    arguments = ("verify", small, "--sim", "icarus", "--vectors", 5, "-o", tmp_path / "logs")
    result = fxsim_cli(*arguments, "--json")
    facts = json.loads(result.stdout)
    assert facts["source"] == "random integers, seed 1"  # nothing is known about its data
    (run,) = facts["runs"]
    assert run["ok"]
    assert (run["simulator"], run["vectors"], run["wrong"]) == ("icarus", 5, 0)
    assert run["words"] > 0
    assert run["latency_measured"] == run["latency_predicted"]
    assert len(list(ElementTree.parse(run["xml"]).iter("testcase"))) == run["tests"] == 4
    assert Path(run["xml"]).is_relative_to(tmp_path / "logs")
    assert "random integers, seed 7" in fxsim_cli(*arguments, "--seed", 7).stdout


def test_variants_of_a_name_have_their_own_logs(tmp_path, monkeypatch, cache):
    monkeypatch.chdir(tmp_path)
    expected = set()
    for weight in (None, np.zeros((4, 6), np.int64)):
        network = small_network(weight)
        save_network(network, tmp_path / "little")
        fxsim_cli("verify", "little", "--sim", "icarus", "--vectors", 2)
        expected.add(f"little-{network_hash(network)[:8]}")
    assert len(expected) == 2
    assert {path.name for path in (tmp_path / "build" / "verify").iterdir()} == expected


def test_verify_streams_the_test_split(tmp_path, monkeypatch):
    from fxsim.testbenches import verify

    seen = {}
    monkeypatch.setattr(
        verify,
        "verify",
        lambda network, *, vectors, **_: seen.update(vectors) or [],
    )
    facts = json.loads(fxsim_cli("verify", TERNARY, "-o", tmp_path, "--json").stdout)
    assert facts["source"] == "digits:test"
    counts = {name: len(batch["input"]) for name, batch in seen.items()}
    assert counts == {"verilator": 360, "icarus": 40}


def test_verify_reports_a_wrong_weight(small, tmp_path, cache, monkeypatch):
    from fxsim.hw import emit

    weight = small_network().layers[0].weight.copy()
    weight[2, 4] = -1 if weight[2, 4] else 1
    wrong = emit.accelerator_verilog(small_network(weight))
    monkeypatch.setattr(emit, "accelerator_verilog", lambda network: wrong)
    arguments = ("verify", small, "--sim", "icarus", "--vectors", 5, "-o", tmp_path / "logs")
    result = fxsim_cli(*arguments, "--json", status=1)
    (run,) = json.loads(result.stdout)["runs"]
    assert not run["ok"]
    seen = run["mismatch"]
    assert (seen["layer"], seen["index"]) == ("first", 2)
    last = result.stderr.splitlines()[-1]
    assert last == (
        f"error: icarus: layer first, vector {seen['vector']}, item 2, lane {seen['lane']},"
        f" cycle {seen['cycle']}: expected {seen['expected']}, actual {seen['actual']}"
    )


def test_synth_makes_each_target_and_keeps_netlist_and_log(small, tmp_path):
    wanted = ("--target", "ice40", "--target", "ecp5", "--part", "ice40hx8k")
    out = fxsim_cli("synth", small, *wanted, "-o", tmp_path, "--json").stdout
    areas = json.loads(out)["areas"]
    assert [area["target"] for area in areas] == ["ice40", "ecp5", "ice40"]
    for area, label in zip(areas, ("ice40", "ecp5", "ice40-no-dsp"), strict=True):
        assert area["logic"] >= area["lut"] > 0
        assert any(name.startswith("first.") for name in area["blocks"])
        assert area["folder"] == str(tmp_path / label)
        netlist = json.loads((tmp_path / label / "netlist.json").read_text())
        assert json.loads(out)["name"] in netlist["modules"]
        assert "Executing SYNTH" in (tmp_path / label / "yosys.log").read_text()
    names = [[device["part"] for device in area["devices"]] for area in areas]
    assert names[1:] == [list(TARGETS["ecp5"].parts), ["ice40hx8k"]]
    assert areas[2]["dsp"] == 0
    assert areas[2]["devices"][0]["logic"] == [areas[2]["logic"], 7680]


def test_synth_shows_percents_and_where_the_log_is(small, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    text = fxsim_cli("synth", small, "--part", "ice40up5k").stdout
    line = next(line for line in text.splitlines() if line.startswith("ice40up5k "))
    assert re.search(r"\d+ of 5,280 \(\d+%\).* \d+ of 39 \(\d+%\) +yes", line)
    assert "ice40up5k has 4 SPRAM of 256 kbit as well, which synthesis leaves idle" in text
    folder = Path("build/synth") / json.loads(fxsim_cli("info", small, "--json").stdout)["name"]
    assert f"Netlist and log: {folder / 'ice40'}" in text
    assert (tmp_path / folder / "ice40" / "script.ys").exists()


def test_the_log_of_a_synthesis_that_fails_is_kept(small, monkeypatch, tmp_path):
    from fxsim.hw.tools import synth

    monkeypatch.setattr(synth.Target, "synthesis", lambda *_, **__: "no_such_command")
    wrong = fxsim_cli("synth", small, "-o", tmp_path, status=1).stderr.splitlines()[-1]
    assert wrong.startswith("error: Yosys failed: ERROR: No such command: no_such_command")
    assert wrong.endswith(f"({tmp_path / DEFAULT})")
    assert "no_such_command" in (tmp_path / DEFAULT / "yosys.log").read_text()


def test_quantize_uses_the_checkpoint_beside_the_specification(tmp_path):
    facts = json.loads(fxsim_cli("quantize", TERNARY, "-o", tmp_path / "q", "--json").stdout)
    direct = fxsim_cli("quantize", TERNARY, "--direct", "-o", tmp_path / "d").stdout
    assert facts["hash"] not in direct
    shipped = json.loads(fxsim_cli("info", TERNARY, "--json").stdout)
    again = json.loads(fxsim_cli("info", tmp_path / "q", "--json").stdout)
    assert again["hash"] == facts["hash"] == shipped["hash"]


def test_retrained_parameters_that_are_left_aside_are_told(tmp_path):
    """They are for 3 levels; a specification of 5 is quantized from the float parent."""
    shipped = MODELS / TERNARY
    text = (shipped / "spec.yaml").read_text().replace("levels: 3,", "levels: 5,")
    (tmp_path / "spec.yaml").write_text(text)
    (tmp_path / "checkpoint.npz").write_bytes((shipped / "checkpoint.npz").read_bytes())
    for command in (
        ["quantize", tmp_path / "spec.yaml", "-o", tmp_path / "q"],
        ["noise", tmp_path / "spec.yaml"],
    ):
        assert fxsim_cli(*command).stderr == (
            "warning: layer0 was retrained with 3 levels, not 5: all retrained parameters are left"
            " aside, and the float parent is quantized\n"
        )
    asked = fxsim_cli("quantize", tmp_path / "spec.yaml", "--direct", "-o", tmp_path / "q")
    assert asked.stderr == ""


SPEC = """
name: tiny
data: digits
input: {shape: [64], bits: 4}
layers:
  - {type: linear, units: 4, nonlinearity: relu, output: {bits: 4}}
  - {type: linear, units: 10}
train: {epochs: 1}
retrain: {epochs: 1}
"""


def test_train_then_quantize(tmp_path):
    spec, checkpoint = tmp_path / "spec.yaml", tmp_path / "checkpoint.npz"
    spec.write_text(SPEC)
    result = fxsim_cli("train", spec, "-o", checkpoint, "--json")
    assert set(json.loads(result.stdout)["training"]) == {"float", "retrain"}
    fxsim_cli("quantize", spec, "-o", tmp_path)
    assert "no float accuracy" not in fxsim_cli("simulate", tmp_path).stdout


RECURRENT = """
name: n
data: pydoc
input: {shape: [96], bits: 1}
layers:
  - {type: lstm, cells: 4}
  - {type: linear, units: 96}
train: {epochs: 1, batch: 400, sparsify: {tau: 0.02, probe: 10}}
"""


def test_train_records_the_zeros_of_gate_gradients(tmp_path):
    spec, table = tmp_path / "spec.yaml", tmp_path / "steps.csv"
    spec.write_text(RECURRENT)
    fxsim_cli("train", spec, "-o", tmp_path / "checkpoint.npz", "--record", table)
    head, *lines = table.read_text().splitlines()
    gates = "zeros 0 i,zeros 0 f,zeros 0 o,zeros 0 g"
    assert head == f"step,loss,correlation,threshold 0,{gates}"
    rows = [line.split(",") for line in lines]
    assert [int(row[0]) for row in rows] == list(range(1, 22))
    assert [k + 1 for k, row in enumerate(rows) if row[2]] == [10, 20]
    assert all(float(row[3]) == 0.02 / 20000 for row in rows[:20])
    assert all(0 <= float(share) <= 1 for row in rows for share in row[4:])
    spec.write_text(RECURRENT.replace(", sparsify: {tau: 0.02, probe: 10}", ""))
    result = fxsim_cli("train", spec, "-o", "x.npz", "--record", table, status=1)
    assert result.stderr == f"error: --record needs the key train.sparsify ({spec})\n"
