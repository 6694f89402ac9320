"""YAML of MAC arrays: what it derives, what it refuses, and how the commands take it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from fxsim.arithmetic.codes import WITHOUT_MULTIPLIER, AnyCode, IntegerCode, TernaryCode
from fxsim.arithmetic.formats import AccumulatorMode, IntFormat
from fxsim.cli import app
from fxsim.errors import FileError, RangeError, SpecError
from fxsim.network.mac_unit import MacUnit, any_weight_bounds
from fxsim.spec.mac_unit import load_mac_unit, parse_mac_spec
from tests.messages import raises

GOOD: dict[str, Any] = {
    "kind": "mac-array",
    "name": "unit",
    "outputs": 6,
    "inputs": 8,
    "rows": 3,
    "simd": 4,
    "weights": {"seed": 1},
}


def changed(path: str, value: object) -> dict[str, Any]:
    """GOOD with one key set, or left out where ``value`` is None."""
    made = json.loads(json.dumps(GOOD))
    *folders, key = path.split(".")
    place = made
    for folder in folders:
        place = place.setdefault(folder, {})
    if value is None:
        del place[key]
    else:
        place[key] = value
    return made


def load(folder: Path, value: dict[str, Any]) -> MacUnit:
    path = folder / "unit.yaml"
    path.write_text(json.dumps(value))
    return load_mac_unit(path)


BAD = [
    ("row", 3, "unknown key 'row'; did you mean 'rows'? (x.yaml: row)"),
    ("weights.seeed", 3, "unknown key 'seeed'; did you mean 'seed'? (x.yaml: weights.seeed)"),
    ("inputs", None, "inputs is missing (x.yaml: inputs)"),
    ("inputs", 0, "inputs must be greater than or equal to 1, not 0 (x.yaml: inputs)"),
    ("columns", 257, "columns must be less than or equal to 256, not 257 (x.yaml: columns)"),
    ("rows", 7, "rows must be at most outputs (6), not 7 (x.yaml: rows)"),
    ("simd", 9, "simd must be at most inputs (8), not 9 (x.yaml: simd)"),
    ("weights.file", "w.npy", "weights must have either file or seed (x.yaml: weights)"),
    ("weights.seed", None, "weights must have either file or seed (x.yaml: weights)"),
    ("bias", {"bits": 4}, "bias must have either file or seed (x.yaml: bias)"),
    (
        "weights.code",
        "int8m",
        (
            "weight code must look like int8 or int8n, or be one of binary, po2_2, po2_3, po2_4,"
            " po2_5, po2_6, not 'int8m' (x.yaml: weights.code)"
        ),
    ),
    (
        "weights.code",
        "uint8",
        (
            "weight code must look like int8 or int8n, or be one of binary, po2_2, po2_3, po2_4,"
            " po2_5, po2_6, not 'uint8' (x.yaml: weights.code)"
        ),
    ),
    (
        "weights.code",
        "int17",
        "weight code must be from int2 to int16, not 'int17' (x.yaml: weights.code)",
    ),
    ("activation.narrow", True, "narrow must be false (x.yaml: activation.narrow)"),
    ("output.narrow", True, "narrow must be false (x.yaml: output.narrow)"),
    (
        "accumulator",
        {"overflow": "wrap"},
        "bits must be given when overflow is wrap (x.yaml: accumulator.bits)",
    ),
    (
        "accumulator.bits",
        12,
        "bits must be left out when overflow is wide (x.yaml: accumulator.bits)",
    ),
    (
        "requantize",
        {},
        "output must be given with requantize: without it raw accumulators leave (x.yaml: output)",
    ),
    (
        "relu",
        True,
        "output must be given with relu: without it raw accumulators leave (x.yaml: output)",
    ),
    ("name", "3d", "name must start with a letter"),
    ("name", "aclk", "name must not be 'aclk', which is a port of the unit"),
    ("name", "m_axis_tdata", "name must not be 'm_axis_tdata', which is a port of the unit"),
]


@pytest.mark.parametrize(("path", "value", "message"), BAD)
def test_bad_keys(path: str, value: object, message: str) -> None:
    with pytest.raises(SpecError) as error:
        parse_mac_spec(changed(path, value), "x.yaml")
    assert str(error.value).startswith(message)
    assert "x.yaml" in str(error.value)


@pytest.mark.parametrize(
    ("key", "lanes", "message"),
    [
        ("rows", 4, "rows must divide outputs (6) with binary weights, which have no 0, not 4"),
        ("simd", 3, "simd must divide inputs (8) with binary weights, which have no 0, not 3"),
    ],
)
def test_codes_without_a_zero_are_not_padded(key: str, lanes: int, message: str) -> None:
    value = changed(key, lanes) | {"weights": {"code": "binary", "seed": 1}}
    with raises(SpecError, f"{message} (x.yaml: {key})"):
        parse_mac_spec(value, "x.yaml")
    parse_mac_spec(value | {"weights": {"code": "po2_2", "seed": 1}}, "x.yaml")


def test_what_is_left_out(tmp_path: Path) -> None:
    """Int8 without -128, no bias, a wide accumulator that leaves as it is."""
    unit = load(tmp_path, GOOD)
    layer = unit.layer
    assert str(layer.code) == "int8n"
    assert (unit.columns, unit.loadable, layer.tail) == (1, False, None)
    assert not layer.bias.any()
    assert layer.accumulator.mode is AccumulatorMode.WIDE
    assert layer.output.format == layer.accumulator.format
    reach = int(np.abs(layer.weight).sum(axis=1).max()) * 128
    assert layer.accumulator.format.bits <= reach.bit_length() + 1


def test_ternary_is_int2n(tmp_path: Path) -> None:
    unit = load(tmp_path, changed("weights.code", "ternary"))
    assert unit.layer.code == TernaryCode()


def test_a_wide_accumulator_holds_whatever_is_loaded(tmp_path: Path) -> None:
    """8 products of at most 127 * 128, which need 18 bits."""
    unit = load(tmp_path, changed("weights.load", True))
    assert unit.layer.accumulator.format == IntFormat(bits=18, signed=True)
    worst = unit.with_weights(np.full((6, 8), -127))
    assert worst.layer.accumulator.format.holds(8 * 127 * 128)
    narrow = load(tmp_path, changed("weights", {"code": "int2n", "seed": 1}))
    message = "unit: wide accumulator must hold -1024 to 1024, which int11 does not"
    with raises(RangeError, message):
        MacUnit(layer=narrow.layer, loadable=True)


CODES: list[AnyCode] = [
    *WITHOUT_MULTIPLIER,
    *map(IntegerCode, map(IntFormat.parse, ("int3", "int4n"))),
]


@given(
    code=st.sampled_from(CODES),
    inputs=st.integers(1, 5),
    fmt=st.builds(IntFormat, bits=st.integers(1, 4), signed=st.booleans()),
)
def test_bounds_of_any_weights(code: AnyCode, inputs: int, fmt: IntFormat) -> None:
    """Reached by the extremes of all pairs of a weight and an activation."""
    words = code.restored(np.arange(1 << code.bits))
    weights = [w for w in words.tolist() if code.format.holds(w)]
    products = [w * x for w in weights for x in range(fmt.min, fmt.max + 1)]
    low, high = any_weight_bounds(code, inputs, np.array([-3, 5]), fmt)
    assert (low, high) == (inputs * min(products) - 3, inputs * max(products) + 5)


def test_integers_from_files(tmp_path: Path) -> None:
    weights = np.array([[1, -2, 4, 0] * 2] * 6)
    np.save(tmp_path / "w.npy", weights.astype(np.int8))
    np.save(tmp_path / "b.npy", np.arange(6))
    value = GOOD | {"weights": {"code": "po2_3", "file": "w.npy"}}
    value |= {"bias": {"file": "b.npy", "bits": 4}}
    unit = load(tmp_path, value)
    assert np.array_equal(unit.layer.weight, weights)
    assert np.array_equal(unit.layer.bias, np.arange(6))

    np.save(tmp_path / "w.npy", weights[:5])
    with pytest.raises(SpecError, match=r"must hold integers of shape \(6, 8\), not int64 of \(5"):
        load(tmp_path, value)
    np.save(tmp_path / "w.npy", weights * 2)
    with pytest.raises(SpecError, match="must hold integers from -7 to 7, not -4 to 8"):
        load(tmp_path, value)
    np.save(tmp_path / "w.npy", weights + 2)
    with pytest.raises(SpecError, match=r"w\.npy\[0, 0\] must be -4, -2, -1, 0, 1, 2 or 4, not 3"):
        load(tmp_path, value)
    np.save(tmp_path / "w.npy", weights)
    np.save(tmp_path / "b.npy", np.arange(6) + 3)
    with pytest.raises(SpecError, match="must hold integers from -8 to 7, not 3 to 8"):
        load(tmp_path, value)
    (tmp_path / "w.npy").unlink()
    with pytest.raises(FileError, match=r"w\.npy: not found"):
        load(tmp_path, value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"accumulator": {"overflow": "wrap", "bits": 4}, "bias": {"seed": 1, "bits": 16}},
            "accumulator of 4 bits must hold the bias, which is ",
        ),
        (
            {"output": {}, "requantize": {"multiplier": 1}}
            | {"accumulator": {"overflow": "wrap", "bits": 62}},
            "accumulator times multiplier must fit 62 bits, not 63 (",
        ),
    ],
)
def test_widths_that_do_not_fit(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as error:
        load(tmp_path, GOOD | changes)
    assert str(error.value).startswith(message)


def test_matrices_have_vectors_as_columns(tmp_path: Path) -> None:
    unit = load(tmp_path, changed("columns", 2))
    vectors = np.arange(1, 10).reshape(3, 3)
    assert unit.matrices(vectors).tolist() == [
        [[1, 4], [2, 5], [3, 6]],
        [[7, 0], [8, 0], [9, 0]],
    ]


def fxsim(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.stdout, result.stderr


def test_commands(tmp_path: Path) -> None:
    path = tmp_path / "unit.yaml"
    path.write_text(json.dumps(GOOD | {"columns": 2, "memory": "block", "output": {}}))
    code, out, _ = fxsim("generate", str(path), "-o", str(tmp_path / "out"), "--json")
    assert code == 0
    files = json.loads(out)["files"]
    assert [Path(name).name for name in files] == ["unit.v", "manifest.json", "unit_weights.hex"]
    manifest = json.loads(Path(files[1]).read_text())
    assert manifest["s_axis"]["shape"] == [8, 2]
    assert (manifest["s_axis"]["lanes"], manifest["s_axis"]["beats"]) == (8, 2)
    assert manifest["memories"]["unit"]["depth"] == 4
    assert manifest["s_axi"]["checksum"]["offset"] == 16

    code, out, _ = fxsim("info", str(path), "--json")
    assert code == 0
    facts = json.loads(out)
    assert (facts["cells"], facts["multipliers"], facts["interval"]) == (24, 24, 4)
    assert facts["weight_bits"] == 4 * 3 * 4 * 8
    assert "columns" in fxsim("info", str(path))[1]

    folder = str(tmp_path / "logs")
    arguments = ["--sim", "icarus", "--vectors", "21", "--json", "-o", folder]
    code, out, _ = fxsim("verify", str(path), *arguments)
    assert code == 0
    (run,) = json.loads(out)["runs"]
    assert run["ok"]
    assert run["wrong"] == 0
    assert run["cycles_measured"] == run["cycles_predicted"]
    assert run["counters"]["checksum"] == manifest["memories"]["unit"]["checksum"]


def test_synth(tmp_path: Path) -> None:
    """A row of two lanes in two columns: a DSP block for each of 4 products."""
    path = tmp_path / "unit.yaml"
    sizes = {"outputs": 2, "inputs": 2, "rows": 1, "simd": 2, "columns": 2}
    path.write_text(json.dumps(GOOD | sizes))
    code, out, _ = fxsim("synth", str(path), "--json", "-o", str(tmp_path))
    assert code == 0
    (result,) = json.loads(out)["areas"]
    assert result["dsp"] == result["blocks"]["unit.mac_array"]["dsp"] == 4


def test_unknown_kind(tmp_path: Path) -> None:
    path = tmp_path / "unit.yaml"
    path.write_text("kind: mac-arry\n")
    code, _, err = fxsim("info", str(path))
    assert code == 1
    assert err == f"error: unknown kind 'mac-arry'; did you mean 'mac-array'? ({path}: kind)\n"
