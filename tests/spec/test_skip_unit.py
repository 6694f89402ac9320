"""YAML of zero-skipping units: what it derives, what it refuses, and how the commands take it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from fxsim.arithmetic.formats import IntFormat
from fxsim.cli import app
from fxsim.errors import FileError, SpecError
from fxsim.spec.skip_unit import load_skip_unit, parse_skip_spec
from fxsim.spec.units import load_unit
from tests.places import MODELS

GOOD = {
    "kind": "zero-skip",
    "name": "unit",
    "unit": "matvec",
    "items": 12,
    "lanes": 4,
    "matvec": {"outputs": 6, "rows": 3, "weights": {"levels": 15, "seed": 1}},
}


def changed(path: str, value: object) -> dict[str, object]:
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


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("itmes", 3, "unknown key 'itmes'; did you mean 'items'? (x.yaml: itmes)"),
        ("matvec.row", 3, "unknown key 'row'; did you mean 'rows'? (x.yaml: matvec.row)"),
        (
            "matvec.weights.seeed",
            3,
            "unknown key 'seeed'; did you mean 'seed'? (x.yaml: matvec.weights.seeed)",
        ),
        ("items", None, "items is missing (x.yaml: items)"),
        ("items", "many", "items must be a valid integer, not 'many' (x.yaml: items)"),
        ("items", 0, "items must be greater than or equal to 1, not 0 (x.yaml: items)"),
        ("issue", 5, "issue must be at most lanes (4), not 5 (x.yaml: issue)"),
        ("unit", "skipper", "matvec must be left out when unit is 'skipper' (x.yaml: matvec)"),
        ("matvec", None, "matvec must be given when unit is 'matvec' (x.yaml: matvec)"),
        ("matvec.rows", 7, "rows must be at most 6, not 7 (x.yaml: matvec.rows)"),
        ("matvec.weights.file", "w.npy", "weights must have either file or seed (x.yaml: matvec"),
        ("matvec.weights.levels", 8, "levels must be odd, not 8 (x.yaml: matvec.weights.levels)"),
        ("gradient.narrow", True, "narrow must be false (x.yaml: gradient.narrow)"),
        ("name", "3d", "name must start with a letter"),
    ],
)
def test_bad_keys(path: str, value: object, message: str) -> None:
    with pytest.raises(SpecError) as error:
        parse_skip_spec(changed(path, value), "x.yaml")
    assert str(error.value).startswith(message)
    assert "x.yaml" in str(error.value)


def write(folder: Path, text: str) -> Path:
    path = folder / "unit.yaml"
    path.write_text(text)
    return path


def test_weights_from_a_file(tmp_path: Path) -> None:
    weights = np.arange(72).reshape(12, 6) % 15 - 7
    np.save(tmp_path / "w.npy", weights.astype(np.int8))
    value = changed("matvec.weights", {"levels": 15, "file": "w.npy"})
    path = write(tmp_path, json.dumps(value))
    unit = load_skip_unit(path)
    assert unit.product is not None
    assert np.array_equal(unit.product.weights, weights)
    assert unit.product.weight == IntFormat(bits=4, signed=True, narrow=True)
    # Without a shift, the accumulator's high bits just fit the output.
    reach = int((np.abs(weights).sum(axis=0) * 128).max())
    assert unit.product.tail.shift == pytest.approx(reach.bit_length() + 1 - 8, abs=1)

    np.save(tmp_path / "w.npy", weights[:5])
    with pytest.raises(SpecError, match=r"must hold integers of shape \(12, 6\), not int64 of \(5"):
        load_skip_unit(path)
    np.save(tmp_path / "w.npy", weights * 2)
    with pytest.raises(SpecError, match="must hold integers from -7 to 7, not -14 to 14"):
        load_skip_unit(path)
    (tmp_path / "w.npy").unlink()
    with pytest.raises(FileError, match=r"w\.npy: not found"):
        load_skip_unit(path)


def fxsim(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.stdout, result.stderr


def test_commands(tmp_path: Path) -> None:
    path = write(tmp_path, json.dumps(changed("matvec.weights.load", True)))
    code, out, _ = fxsim("generate", str(path), "-o", str(tmp_path / "out"), "--json")
    assert code == 0
    files = json.loads(out)["files"]
    assert [Path(name).name for name in files] == ["unit.v", "manifest.json", "unit_weights.hex"]
    manifest = json.loads(Path(files[1]).read_text())
    assert manifest["s_axi"]["threshold"]["offset"] == 12
    assert manifest["m_axis"]["beats"] == 2
    assert manifest["s_axis_weights"]["beats"] == 24
    assert "module unit(" in Path(files[0]).read_text()

    code, out, _ = fxsim(
        "verify",
        str(path),
        "--sim",
        "icarus",
        "--vectors",
        "30",
        "--json",
        "-o",
        str(tmp_path / "logs"),
    )
    assert code == 0
    (run,) = json.loads(out)["runs"]
    assert run["ok"]
    assert run["wrong"] == 0
    assert run["cycles_measured"] == run["cycles_predicted"]
    assert run["counters"]["operands"] == 30 * 12


def test_info() -> None:
    code, out, _ = fxsim("info", "zero-skip-64", "--json")
    assert code == 0
    facts = json.loads(out)
    assert (facts["kind"], facts["items"], facts["rows"]) == ("zero-skip", 256, 64)
    assert facts["weight_bits"] == 256 * 64 * 8
    code, out, _ = fxsim("info", "zero-skipper")
    assert code == 0
    assert "gradient" in out
    assert "rows" not in out


def test_synth(tmp_path: Path) -> None:
    value = changed("matvec", None) | {"unit": "skipper", "items": 4, "lanes": 2, "depth": 2}
    path = write(tmp_path, json.dumps(value))
    code, out, _ = fxsim("synth", str(path), "--json", "-o", str(tmp_path))
    assert code == 0
    (result,) = json.loads(out)["areas"]
    assert result["lut"] > result["blocks"]["unit.picker"]["lut"] > 0


def test_unknown_kind(tmp_path: Path) -> None:
    path = write(tmp_path, "kind: zero-skp\n")
    code, _, err = fxsim("generate", str(path), "-o", str(tmp_path / "out"))
    assert code == 1
    assert err == f"error: unknown kind 'zero-skp'; did you mean 'zero-skip'? ({path}: kind)\n"


def test_shipped_units() -> None:
    names = [path.stem for path in sorted(MODELS.glob("*.yaml"))]
    assert names == ["mac-array-16x8", "zero-skip-64", "zero-skipper"]
    for name in names:
        unit = load_unit(MODELS / f"{name}.yaml")
        assert unit is not None
        assert unit.name == name.replace("-", "_")
