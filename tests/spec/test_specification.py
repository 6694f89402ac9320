"""Specifications: defaults, files, and values of any sort."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fxsim.arithmetic.formats import AccumulatorMode, IntFormat, Overflow, Rounding
from fxsim.errors import FileError, SpecError
from fxsim.spec import load_spec, parse_spec
from tests.messages import raises, refusal
from tests.spec.specs import BASE, changed, json_values, paths
from tests.strategies import unhurried


def test_defaults():
    spec = parse_spec(BASE, "net.yaml")
    assert spec.input.format == IntFormat(bits=8, signed=False)
    assert spec.input.shape == (12,)
    assert spec.rounding is Rounding.TIES_AWAY
    assert [spec.layer_name(i) for i in range(2)] == ["layer0", "layer1"]
    assert [spec.layer_inputs(i) for i in range(2)] == [12, 8]
    assert spec.layers[0].output.format == IntFormat(bits=4, signed=True)
    assert spec.layers[0].weights.levels == 255
    assert spec.layers[0].accumulator.overflow is AccumulatorMode.WIDE
    assert spec.layers[0].requantize.overflow is Overflow.SATURATE
    assert spec.layers[0].requantize.multiplier_bits == 16
    assert spec.layers[1].output is None
    assert spec.retrain is None
    folding = spec.layer_hardware(1)
    assert (folding.rows, folding.simd, folding.pad) == (1, 1, False)


def test_a_layer_overrides_the_network():
    value = changed(BASE, ("layers", 1, "hardware"), {"rows": 3})
    value["hardware"] = {"rows": 2, "simd": 4}
    value["rounding"] = "floor"
    value["layers"][0]["requantize"] = {"rounding": "ties_even"}
    spec = parse_spec(value, "net.yaml")
    assert [(spec.layer_hardware(i).rows, spec.layer_hardware(i).simd) for i in range(2)] == [
        (2, 4),
        (3, 1),
    ]
    assert spec.layer_rounding(0) is Rounding.TIES_EVEN
    assert spec.layer_rounding(1) is Rounding.FLOOR


def test_frozen():
    spec = parse_spec(BASE, "net.yaml")
    with pytest.raises(ValidationError, match="Instance is frozen"):
        spec.name = "other"


def test_defaults_may_be_written_out():
    """As `fxsim.explorer` does."""
    spec = parse_spec(BASE, "x.yaml")
    assert parse_spec(spec.model_dump(mode="json"), "x.yaml") == spec


@pytest.mark.parametrize("value", [None, [], "text", 3])
def test_not_a_mapping(value):
    message = f"a specification must be a mapping, not {type(value).__name__} (x.yaml)"
    with raises(SpecError, message):
        parse_spec(value, "x.yaml")


def test_padded_folding():
    spec = parse_spec(changed(BASE, ("hardware",), {"rows": 5, "simd": 7, "pad": True}), "x.yaml")
    assert spec.layer_hardware(0).pad


def test_load(tmp_path):
    path = tmp_path / "net.yaml"
    path.write_text(
        "name: net\ndata: digits\ninput: {shape: [4], bits: 4, signed: true}\n"
        "layers:\n  - {type: linear, units: 2}\ntrain: {optimizer: {lr: 1e-3}}\n"
    )
    spec = load_spec(path)
    assert spec.train.optimizer.lr == 0.001
    assert spec.input.format == IntFormat(bits=4, signed=True)
    path.write_text("name: net\nname: net\n")
    with raises(FileError, f"{path}: key 'name' is given twice at line 2, column 1"):
        load_spec(path)
    path.write_text("nam: net\n")
    with raises(SpecError, f"name is missing ({path}: name)"):
        load_spec(path)
    path.write_text("input: {shape: [010]}\n")
    with pytest.raises(SpecError):
        load_spec(path)
    with raises(FileError, f"{tmp_path / 'absent.yaml'}: not found"):
        load_spec(tmp_path / "absent.yaml")


@unhurried
@given(st.sampled_from(list(paths(BASE))), json_values)
def test_any_value_gives_one_line(path, value):
    message = refusal(SpecError, parse_spec, changed(BASE, path, value), "x.yaml")
    if message is not None:
        assert len(message.splitlines()) == 1
        assert "(x.yaml" in message


@pytest.mark.parametrize("depth", [150, 250, 900])
def test_deep_values(depth):
    value = []
    for _ in range(depth):
        value = [value]
    with pytest.raises(SpecError):
        parse_spec(changed(BASE, ("data",), value), "x.yaml")
