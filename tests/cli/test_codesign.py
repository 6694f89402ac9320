"""``fxsim codesign``: all steps, on a small network, with Yosys and most of the sweep left out."""

import json
from dataclasses import replace

import pytest

from fxsim.files import write_yaml
from fxsim.floats.checkpoint import save_checkpoint
from fxsim.spec import load_spec
from tests.commands import fxsim_cli
from tests.two_layers import make_checkpoint

SPEC = {
    "name": "little_digits",
    "data": "digits",
    "input": {"shape": [64], "bits": 8},
    "layers": [
        {"type": "linear", "units": 4, "weights": {"levels": 3}, "nonlinearity": "relu"}
        | {"output": {"bits": 8}},
        {"type": "linear", "units": 10, "weights": {"levels": 15}},
    ],
}


@pytest.fixture
def model(tmp_path):
    """Folder of a network of the digits, with its specification and random parameters."""
    folder = tmp_path / "model"
    folder.mkdir()
    write_yaml(folder / "spec.yaml", SPEC)
    spec = load_spec(folder / "spec.yaml")
    save_checkpoint(make_checkpoint(spec, retrained=True), folder / "checkpoint.npz")
    fxsim_cli("quantize", folder, "-o", folder)
    return folder


@pytest.fixture
def quick_codesign(monkeypatch):
    """Leave out most of the sweep and all of Yosys; they have tests of their own."""
    import fxsim.explorer.sweep
    from fxsim.hw.tools import synth

    full = fxsim.explorer.sweep.sweep
    area = synth.SynthResult(
        **dict.fromkeys(("logic", "pins", "lut", "lut_ram", "ff", "carry", "dsp", "block_ram"), 12),
        target="xc7",
        blocks={"layer0.mac_array": {"lut": 7}},
        seconds=0.5,
    )

    def sweep(*arguments, on_row):
        return full(*arguments, levels=(3,), activation_bits=(4, 8), on_row=on_row)

    monkeypatch.setattr(fxsim.explorer.sweep, "sweep", sweep)
    monkeypatch.setattr(synth, "synthesize", lambda *_, **__: area)


def test_codesign(tmp_path, model, quick_codesign):
    arguments = ("codesign", model, "-o", tmp_path, "--sim", "icarus", "--vectors", 1)
    result = fxsim_cli(*arguments)
    for part in ("float", "fixed point", "3 levels, retrained", "icarus", "xc7", "bit-exact: "):
        assert part in result.stdout
    assert str(tmp_path / "report.html") in result.stdout.splitlines()[-1]
    for step in ("load", "evaluate", "sweep", "generate", "verify on icarus", "report"):
        assert step in result.stderr
    assert "bit-exact" in (tmp_path / "report.html").read_text()
    facts = json.loads((tmp_path / "results.json").read_text())
    assert facts["verdict"]["status"] == "exact"
    assert facts["seconds"]["synthesize for xc7"] == 0.5  # its own, not that of the wait for it
    assert {path.name for path in (tmp_path / "rtl").iterdir()} == {
        "little_digits.v",
        "manifest.json",
    }
    assert (tmp_path / "verify" / "icarus" / "results.xml").exists()


def test_codesign_tells_its_verdict_although_its_files_cannot_be_written(
    tmp_path, model, quick_codesign, monkeypatch
):
    """A file of the user appears while it works."""
    from fxsim.hw import emit

    emitted = emit.emit

    def meanwhile(*arguments):
        (tmp_path / "report.html").write_text("mine")
        return emitted(*arguments)

    monkeypatch.setattr(emit, "emit", meanwhile)
    arguments = ("codesign", model, "-o", tmp_path, "--sim", "icarus", "--vectors", 1)
    said = fxsim_cli(*arguments, status=1)
    assert "bit-exact: " in said.stdout
    assert "Report" not in said.stdout
    reason = "exists, and fxsim did not write it; move it away, or give another folder"
    assert said.stderr.splitlines()[-1] == f"error: {tmp_path / 'report.html'}: {reason}"
    assert (tmp_path / "report.html").read_text() == "mine"


def test_codesign_without_float_parameters_says_so(tmp_path, model, quick_codesign):
    for name in ("spec.yaml", "checkpoint.npz"):
        (model / name).unlink()
    arguments = ("codesign", model, "-o", tmp_path, "--sim", "icarus", "--vectors", 1)
    result = fxsim_cli(*arguments)
    assert "no sweep: it starts from spec.yaml and checkpoint.npz" in result.stderr
    assert "fixed point" in result.stdout
    assert "quantized directly" not in result.stdout
    facts = json.loads((tmp_path / "results.json").read_text())
    assert facts["accuracy"]["parent"] is None
    assert facts["sweep"] == []


def test_codesign_with_a_mismatch_reports_it_and_fails(
    tmp_path, model, quick_codesign, monkeypatch
):
    from fxsim.testbenches import verify

    keys = ("layer", "vector", "lane", "index", "cycle", "expected", "actual")
    seen = dict(zip(keys, ("layer1", 3, 2, 10, 99, 5, 7), strict=True))

    class FailedRun(verify.NetworkRun):
        words, wrong, mismatch = 100, 4, seen

    run = FailedRun(
        simulator="icarus",
        version="11.0",
        patterns=("none",),
        tests=1,
        failed=1,
        messages=["none: differs"],
        outcomes=[],
        seconds=1.0,
        xml=tmp_path / "results.xml",
        vectors=2,
        latency_predicted=9,
        interval_predicted=4,
        latency_measured=None,
        interval_measured=None,
    )
    monkeypatch.setattr(verify, "verify", lambda *_, **__: [run])
    arguments = ("codesign", model, "-o", tmp_path, "--sim", "icarus", "--json")
    result = fxsim_cli(*arguments, status=1)
    facts = json.loads(result.stdout)
    assert facts["verdict"]["status"] == "failed"
    assert facts["regressions"][0]["mismatch"] == seen
    assert result.stderr.splitlines()[-1] == (
        "error: icarus: layer layer1, vector 3, item 10, lane 2, cycle 99: expected 5, actual 7"
    )
    assert "not bit-exact" in (tmp_path / "report.html").read_text()
    monkeypatch.setattr(verify, "verify", lambda *_, **__: [replace(run, tests=0)])
    fxsim_cli(*arguments, status=1)
