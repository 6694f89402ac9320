"""Bad input through the real commands: one line, non-zero status, nothing overwritten."""

import io
import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import yaml

from fxsim.files import write_npz
from fxsim.floats.checkpoint import Checkpoint, LinearParameters, save_checkpoint
from fxsim.network.storage import save_network
from fxsim.spec import load_spec
from tests.commands import fxsim_cli, fxsim_process, small_network

SPEC = """
name: tiny
data: digits
input: {shape: [64], bits: 4}
layers:
  - {type: linear, units: 4, nonlinearity: relu, output: {bits: 4}, hardware: {rows: 2, simd: 8}}
  - {type: linear, units: 10}
"""


def refused(*arguments, names):
    """Run a command; check that it ends with one line on stderr that holds all of ``names``."""
    result = fxsim_cli(*arguments, status=1)
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    for name in names:
        assert str(name) in line
    assert "Traceback" not in result.output
    return line


def contents(folder):
    """Every file below a folder with its bytes."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def folder(tmp_path):
    """A specification with its checkpoint, and a network that must survive."""
    (tmp_path / "spec.yaml").write_text(SPEC)
    spec = load_spec(tmp_path / "spec.yaml")
    random = np.random.default_rng(1)
    parent = {
        spec.layer_name(i): LinearParameters(
            weight=random.normal(size=(layer.units, spec.layer_inputs(i))),
            bias=np.zeros(layer.units),
        )
        for i, layer in enumerate(spec.layers)
    }
    save_checkpoint(Checkpoint(parent=parent), tmp_path / "checkpoint.npz")
    save_network(small_network(data="digits"), tmp_path / "net")
    return tmp_path


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        ("name: tiny", "name: [tiny", ["line 3"]),
        ("name: tiny", "name: tiny\nnmae: tiny", ["unknown key 'nmae'", "did you mean 'name'"]),
        ("name: tiny", "name: tiny\nname: other", ["'name' is given twice", "line 3"]),
        ("name: tiny", "name: &a tiny\nrounding: *a", ["aliases"]),
        ("name: tiny", "name: !!python/name:os.system tiny", ["tags are not allowed"]),
        ("name: tiny", "name: ../../tiny", ["name must", "../../tiny"]),
        ("name: tiny", "name: module", ["keyword 'module'"]),
        ("name: tiny", "rounding: floor", ["name is missing"]),
        ("units: 4", "units: four", ["layers[0].units", "'four'"]),
        ("units: 4", "units: 4.5", ["layers[0].units", "4.5"]),
        ("units: 4", "units: .nan", ["layers[0].units"]),
        ("units: 4", "units: 5", ["layers[0].hardware.rows", "divide 5", "not 2"]),
        ("simd: 8", "simd: 7", ["layers[0].hardware.simd", "divide 64", "not 7"]),
        ("simd: 8", "simd: 80", ["layers[0].hardware.simd", "at most 64", "not 80"]),
        ("output: {bits: 4}", "output: {bits: 40}", ["layers[0].output.bits", "40"]),
        ("units: 10}", "units: 10, weights: {levels: 4}}", ["layers[1].weights.levels", "not 4"]),
        (
            "output: {bits: 4}",
            "output: {bits: 4}, accumulator: {overflow: wrap, bits: 62}",
            ["layer0", "62"],
        ),
        ("data: digits", "data: dgits", ["unknown data set 'dgits'", "did you mean 'digits'"]),
        ("shape: [64]", "shape: [32, 2]", ["input.shape"]),
    ],
)
def test_bad_specification(folder, old, new, names):
    assert old in SPEC
    (folder / "spec.yaml").write_text(SPEC.replace(old, new))
    before = contents(folder)
    refused("quantize", folder / "spec.yaml", "-o", folder / "net", names=["spec.yaml", *names])
    assert contents(folder) == before


def pickled(path):
    np.savez(path, **{"float.layer0.weight": np.array([{}], dtype=object)}, allow_pickle=True)


def truncated(path):
    path.write_bytes(path.read_bytes()[:-400])


def enormous(path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 32,)}
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("float.layer0.weight.npy", header.getvalue())


def changed(key, change):
    def apply(path):
        with np.load(path) as archive:
            arrays = dict(archive)
        arrays[key] = change(arrays[key])
        write_npz(path, {name: array for name, array in arrays.items() if array is not None})

    return apply


def poked(value):
    def apply(array):
        array[1, 2] = value
        return array

    return apply


WEIGHT = "float.layer0.weight"


@pytest.mark.parametrize(
    ("damage", "names"),
    [
        (lambda path: path.unlink(), ["not found"]),
        (truncated, ["not a valid npz file"]),
        (pickled, ["must hold integers or floats"]),
        (enormous, [WEIGHT, str(32 << 30)]),
        (lambda path: path.write_bytes(b""), ["not a valid npz file"]),
        (changed(WEIGHT, poked(np.nan)), [WEIGHT, "finite, not nan at [1, 2]"]),
        (changed(WEIGHT, poked(-np.inf)), [WEIGHT, "finite, not -inf at [1, 2]"]),
        (changed(WEIGHT, lambda w: w[:, 1:]), [WEIGHT, "(4, 64)", "(4, 63)"]),
        (changed(WEIGHT, lambda w: None), [WEIGHT, "missing"]),
        (changed(WEIGHT, lambda w: w.astype(int)), [WEIGHT, "floats"]),
    ],
)
def test_bad_checkpoint(folder, damage, names):
    damage(folder / "checkpoint.npz")
    before = contents(folder)
    names = ["checkpoint.npz", *names]
    refused("quantize", folder / "spec.yaml", "-o", folder / "net", names=names)
    assert contents(folder) == before


def test_values_beyond_what_integers_can_hold(folder):
    changed("float.layer0.bias", lambda bias: bias + 1e300)(folder / "checkpoint.npz")
    before = contents(folder)
    names = ["layer0", "too large or too small for float64", "spec.yaml"]
    refused("quantize", folder / "spec.yaml", "-o", folder / "net", names=names)
    assert contents(folder) == before


def edited(change):
    def apply(net):
        value = yaml.safe_load((net / "network.yaml").read_text())
        change(value)
        (net / "network.yaml").write_text(yaml.safe_dump(value))

    return apply


@pytest.mark.parametrize(
    ("damage", "names"),
    [
        (lambda net: (net / "network.npz").unlink(), ["network.npz", "not found"]),
        (lambda net: (net / "network.yaml").unlink(), ["network.yaml", "not found"]),
        (lambda net: truncated(net / "network.npz"), ["network.npz", "not a valid npz"]),
        (lambda net: (net / "network.yaml").write_text("a: {"), ["network.yaml", "line 1"]),
        (lambda net: (net / "network.yaml").write_text("[]"), ["network.yaml", "schema"]),
        (edited(lambda v: v.update(layers=3)), ["network.yaml"]),
        (edited(lambda v: v.update(name="../up")), ["network.yaml", "../up"]),
        (edited(lambda v: v.update(name="endmodule")), ["network.yaml", "keyword 'endmodule'"]),
        (
            edited(lambda v: v["hardware"]["layers"]["first"].update(rows=3)),
            ["network.yaml", "first", "rows must divide 4, not 3"],
        ),
        (
            edited(lambda v: v["layers"][0]["accumulator"].update(format="int63")),
            ["network.yaml", "from 1 to 62, not 63"],
        ),
        (
            edited(lambda v: v["layers"][0]["requantize"].update(multiplier_bits=60)),
            ["network.yaml", "first", "62", "9 + 60"],
        ),
        (edited(lambda v: v.update(data="other")), ["network.yaml", "hash does not match"]),
        (
            lambda net: changed("first.weight", poked(0))(net / "network.npz"),
            ["network.yaml", "hash does not match"],
        ),
        (
            lambda net: changed("first.weight", poked(9))(net / "network.npz"),
            ["network.yaml", "first: weight[1, 2] must be -1, 0 or 1, not 9"],
        ),
    ],
)
@pytest.mark.parametrize("command", ["info", "simulate", "generate", "verify", "codesign"])
def test_bad_network(folder, command, damage, names):
    damage(folder / "net")
    before = contents(folder)
    output = ["-o", folder / "out"] if command != "info" else []
    damaged = folder / "net"
    line = refused(command, damaged, *output, names=names)
    assert str(damaged) in line
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("x", "names"),
    [
        (np.full((2, 6), 16), ["input[0, 0]", "0 to 15", "not 16"]),
        (np.full((2, 6), np.nan), ["finite, not nan"]),
        (np.zeros((2, 5)), ["(n, 6)", "(2, 5)"]),
        (np.zeros((2, 6), dtype=complex), ["integers or floats"]),
        (np.array([{}], dtype=object), ["integers or floats"]),
    ],
)
def test_bad_samples(folder, x, names):
    np.save(folder / "x.npy", x, allow_pickle=True)
    (folder / "y.npy").write_text("precious")
    arguments = ("simulate", folder / "net", "--input", folder / "x.npy", "-o", folder / "y.npy")
    refused(*arguments, names=["x.npy", *names])
    assert (folder / "y.npy").read_text() == "precious"


def test_data_that_does_not_suit_the_network(folder):
    refused("simulate", folder / "net", names=["(n, 6)", "(360, 64)", "digits:test"])
    refused("verify", folder / "net", names=["(n, 6)", "(360, 64)", "digits:test"])
    refused("simulate", folder / "net", "--data", "digits:all", names=["digits:test", "digits:all"])
    refused("simulate", folder / "net", "--data", "/etc/passwd", names=["unknown data set"])


def test_unknown_networks_name_the_known_ones(folder, monkeypatch):
    monkeypatch.chdir(folder)
    refused("info", "digits-mlp-ternery", names=["did you mean digits-mlp-ternary"])
    refused("info", "zzz", names=["zzz", "known: ", "digits-mlp-int8"])
    refused("train", "zzz", "-o", "c.npz", names=["no such specification"])
    refused("info", folder / "zzz", names=[folder / "zzz", "not found"])
    refused("info", folder / "spec.yaml", names=["must be a folder"])
    refused("info", "a\nb\x1b[31m\udc80", names=["a\\nb\\x1b[31m\\udc80"])


@pytest.mark.parametrize(
    "arguments",
    [
        ("info",),
        ("nothing",),
        ("info", "net", "--what"),
        ("verify", "net", "--sim", "modelsim"),
        ("verify", "net", "--vectors", "0"),
        ("synth", "net", "--target", "xc9"),
        ("simulate", "net", "--input", "x.npy"),
        ("simulate", "net", "--input", "x.npy", "--data", "digits:test", "-o", "y.npy"),
    ],
)
def test_usage_errors_have_status_2(folder, arguments, monkeypatch):
    monkeypatch.chdir(folder)
    result = fxsim_cli(*arguments, status=2)
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("command", ["verify", "codesign"])
def test_missing_simulator(folder, command, monkeypatch):
    save_network(small_network(), folder / "net")
    monkeypatch.setenv("PATH", "")
    before = contents(folder)
    arguments = (command, folder / "net", "-o", folder / "out")
    refused(*arguments, "--sim", "icarus", names=["Icarus Verilog is not installed"])
    assert contents(folder) == before


def test_missing_torch(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in [name for name in sys.modules if name.startswith("fxsim.training")]:
        monkeypatch.delitem(sys.modules, name)
    arguments = ("train", folder / "spec.yaml", "-o", folder / "checkpoint.npz")
    before = contents(folder)
    refused(*arguments, names=["PyTorch is not installed", "pip install 'fxsim[train]'"])
    assert contents(folder) == before


def test_codesign_needs_the_data_of_the_network(folder):
    save_network(small_network(), folder / "net")
    arguments = ("codesign", folder / "net", "-o", folder / "out", "--sim", "icarus")
    refused(*arguments, names=["unknown data set 'nothing'"])
    assert not (folder / "out").exists()


def test_unwritable_output(folder):
    (folder / "file").write_text("precious")
    for command in ("generate", "quantize"):
        source = folder / ("net" if command == "generate" else "spec.yaml")
        refused(
            command, source, "-o", folder / "file" / "sub", names=["file: is a file, not a folder"]
        )
    x = folder / "x.npy"
    np.save(x, np.zeros((1, 6)))
    arguments = ("simulate", folder / "net", "--input", x, "-o", folder / "net")
    refused(*arguments, names=["is a folder"])
    assert (folder / "file").read_text() == "precious"


def test_unexpected_trouble_of_the_system(folder, monkeypatch):
    def fail(error):
        def load(path):
            raise error

        monkeypatch.setattr("fxsim.network.storage.load_network", load)

    fail(PermissionError(13, "Permission denied", "some/file"))
    refused("info", folder / "net", names=["some/file: Permission denied"])
    fail(MemoryError())
    refused("info", folder / "net", names=["out of memory"])
    fail(KeyboardInterrupt())
    assert fxsim_cli("info", folder / "net", status=130).stdout == ""


def test_real_process(folder):
    result = fxsim_process("info", folder / "zzz")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"error: {folder / 'zzz'}: not found\n"
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii"}
    result = fxsim_process("generate", folder / "net", "-o", folder / "é", env=ascii_only)
    assert result.returncode == 0, result.stderr
    assert "\\xe9" in result.stdout


@pytest.mark.parametrize("options", [["--json"], []])
def test_closed_pipe(folder, options):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-c", "from fxsim.cli import main; main()", "info", folder / "net"]
    with os.fdopen(writer, "wb") as stdout:
        result = subprocess.run(
            [*command, *options], stdout=stdout, stderr=subprocess.PIPE, check=False, timeout=120
        )
    assert result.returncode == 1
    assert result.stderr == b""


def test_json_of_a_failed_command_is_empty(folder):
    result = fxsim_cli("info", folder / "zzz", "--json", status=1)
    assert result.stdout == ""
    assert json.loads(fxsim_cli("info", folder / "net", "--json").stdout)["name"] == "little"
