"""Specifications: defaults, and every way to get one wrong, word for word."""

from __future__ import annotations

import copy
import datetime
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fxsim.errors import FileError, SpecError
from fxsim.formats import AccumulatorMode, IntFormat, Overflow, Rounding
from fxsim.spec import load_spec, parse_spec
from tests.messages import raises, refusal
from tests.strategies import unhurried

BASE = {
    "name": "net",
    "data": "digits",
    "input": {"shape": [12]},
    "layers": [
        {"type": "linear", "units": 8, "output": {"bits": 4}},
        {"type": "linear", "units": 6},
    ],
}


def changed(path, value):
    """``BASE`` with the key at ``path`` set (or dropped, for ``...``)."""
    result = copy.deepcopy(BASE)
    target = result
    for part in path[:-1]:
        target = target.setdefault(part, {}) if isinstance(target, dict) else target[part]
    if value is ...:
        del target[path[-1]]
    else:
        target[path[-1]] = value
    return result


def test_defaults():
    spec = parse_spec(BASE, "net.yaml")
    assert spec.input.format == IntFormat(bits=8, signed=False)
    assert spec.input.shape == (12,)
    assert spec.rounding is Rounding.TIES_AWAY
    assert [spec.layer_name(i) for i in range(2)] == ["layer0", "layer1"]
    assert [spec.layer_inputs(i) for i in range(2)] == [12, 8]
    assert spec.layers[0].output.format == IntFormat(bits=4, signed=False)
    assert spec.layers[0].weights.levels == 255
    assert spec.layers[0].accumulator.overflow is AccumulatorMode.WIDE
    assert spec.layers[0].requantize.overflow is Overflow.SATURATE
    assert spec.layers[0].requantize.multiplier_bits == 16
    assert spec.layers[1].output is None
    assert spec.retrain is None
    folding = spec.layer_hardware(1)
    assert (folding.rows, folding.simd, folding.pad) == (1, 1, False)


def test_a_layer_overrides_the_network():
    value = changed(("layers", 1, "hardware"), {"rows": 3})
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


KNOWN = "known keys: name, data, input, layers, rounding, hardware, train, retrain, explore"
NAME = "name must start with a letter and hold at most 63 letters, digits or underscores, not"
NARROW = "narrow must be used with signed formats of 2 bits or more"
SURROGATE = "values must be plain YAML (Invalid JSON: unexpected end of hex escape"
TYPES = (
    "type must be 'linear', 'lstm', 'convolution', 'max_pool', 'average_pool', 'flatten', 'add'"
    " or 'argmax'"
)
ERRORS = [
    ("epochs", 3, f"unknown key 'epochs'; {KNOWN}", "epochs"),
    ("Name", "a", "unknown key 'Name'; did you mean 'name'?", "Name"),
    ("layers.0.unit", 3, "unknown key 'unit'; did you mean 'units'?", "layers[0].unit"),
    (
        "layers.0.weights",
        {"level": 3},
        "unknown key 'level'; did you mean 'levels'?",
        "layers[0].weights.level",
    ),
    ("layers.0.output.bit", 3, "unknown key 'bit'; did you mean 'bits'?", "layers[0].output.bit"),
    (
        "layers.0.hardware",
        {"row": 3},
        "unknown key 'row'; did you mean 'rows'?",
        "layers[0].hardware.row",
    ),
    (
        "train",
        {"optimizer": {"lrr": 1.0}},
        "unknown key 'lrr'; did you mean 'lr'?",
        "train.optimizer.lrr",
    ),
    (
        "retrain",
        {"schema": "fixed"},
        "unknown key 'schema'; did you mean 'scheme'?",
        "retrain.schema",
    ),
    ((1,), 2, f"unknown key '1'; {KNOWN}", "['1']"),
    (("a\n\x1b[2J",), 2, "unknown key 'a\\n\\x1b[2J'; " + KNOWN, "['a\\n\\x1b[2J']"),
    ("name", ..., "name is missing", "name"),
    ("input.shape", ..., "shape is missing", "input.shape"),
    ("layers.0.units", ..., "units is missing", "layers[0].units"),
    ("name", 5, "name must be a valid string, not 5", "name"),
    ("name", None, "name must be a valid string, not None", "name"),
    ("layers", 5, "layers must be a valid array, not 5", "layers"),
    ("layers.0", 5, "layers[0] must be an object, not 5", "layers[0]"),
    ("layers.0.units", 8.0, "units must be a valid integer, not 8.0", "layers[0].units"),
    ("layers.0.units", "8", "units must be a valid integer, not '8'", "layers[0].units"),
    ("layers.0.units", True, "units must be a valid integer, not True", "layers[0].units"),
    ("layers.0.units", math.inf, "units must be a valid integer, not inf", "layers[0].units"),
    (
        "layers.0.output",
        {"signed": 1},
        "signed must be a valid boolean, not 1",
        "layers[0].output.signed",
    ),
    ("layers.0.weights", None, "weights must be an object, not None", "layers[0].weights"),
    ("input.shape", ["x"], "shape[0] must be a valid integer, not 'x'", "input.shape[0]"),
    ("data", ["x" * 100], f"data must be a valid string, not ['{'x' * 75}...", "data"),
    (
        "data",
        datetime.date(2024, 1, 1),
        "values must be plain YAML (Object of type date is not JSON serializable)",
        None,
    ),
    (
        "data",
        "\ud800",
        f"{SURROGATE} at line 1 column 32)",
        None,
    ),
    ("layers.0.type", "conv", f"{TYPES}, not 'conv'", "layers[0].type"),
    (
        "rounding",
        "round",
        "rounding must be 'floor', 'to_zero', 'ties_away', 'ties_pos' or 'ties_even', not 'round'",
        "rounding",
    ),
    (
        "layers.0.accumulator",
        {"overflow": "Wide"},
        "overflow must be 'wide', 'wrap' or 'saturate', not 'Wide'",
        "layers[0].accumulator.overflow",
    ),
    (
        "layers.0.requantize",
        {"overflow": "wide"},
        "overflow must be 'wrap' or 'saturate', not 'wide'",
        "layers[0].requantize.overflow",
    ),
    (
        "layers.0.nonlinearity",
        "tanh",
        "nonlinearity must be 'none' or 'relu', not 'tanh'",
        "layers[0].nonlinearity",
    ),
    ("layers.0.units", 0, "units must be greater than or equal to 1, not 0", "layers[0].units"),
    (
        "layers.0.units",
        65537,
        "units must be less than or equal to 65536, not 65537",
        "layers[0].units",
    ),
    (
        "layers.0.output",
        {"bits": 17},
        "bits must be less than or equal to 16, not 17",
        "layers[0].output.bits",
    ),
    (
        "layers.0.weights",
        {"levels": 2},
        "levels must be greater than or equal to 3, not 2",
        "layers[0].weights.levels",
    ),
    (
        "layers.0.requantize",
        {"multiplier_bits": 33},
        "multiplier_bits must be less than or equal to 32, not 33",
        "layers[0].requantize.multiplier_bits",
    ),
    ("input.shape", [0], "shape[0] must be greater than or equal to 1, not 0", "input.shape[0]"),
    ("train", {"dropout": 1.0}, "dropout must be less than 1, not 1.0", "train.dropout"),
    (
        "train",
        {"optimizer": {"lr": math.inf}},
        "lr must be a finite number, not inf",
        "train.optimizer.lr",
    ),
    ("train", {"optimizer": {"lr": 0}}, "lr must be greater than 0, not 0", "train.optimizer.lr"),
    ("layers", [], "layers must have at least 1 item, not 0", "layers"),
    ("layers", [BASE["layers"][0]] * 257, "layers must have at most 256 items, not 257", "layers"),
    ("input.shape", [], "shape must have at least 1 item, not 0", "input.shape"),
    (
        "input.shape",
        [8, 8],
        "shape must have 1 item (a vector) or 3 (an image), not 2",
        "input.shape",
    ),
    ("name", "a;b", f"{NAME} 'a;b'", "name"),
    ("name", "Module", "name must not be the keyword 'Module' of Verilog or VHDL", "name"),
    ("layers.0.name", "../x", f"{NAME} '../x'", "layers[0].name"),
    (
        "layers.0.name",
        "Layer1",
        "name must be unique, but layers[0] is 'Layer1' too",
        "layers[1].name",
    ),
    ("layers.0.weights", {"levels": 4}, "levels must be odd, not 4", "layers[0].weights.levels"),
    (
        "layers.0.accumulator",
        {"overflow": "wrap"},
        "bits must be given when overflow is wrap",
        "layers[0].accumulator.bits",
    ),
    (
        "layers.0.accumulator",
        {"overflow": "saturate"},
        "bits must be given when overflow is saturate",
        "layers[0].accumulator.bits",
    ),
    (
        "layers.0.accumulator",
        {"bits": 20},
        "bits must be left out when overflow is wide",
        "layers[0].accumulator.bits",
    ),
    (
        "layers.0.output",
        ...,
        "output is missing: only the last layer may yield raw accumulators",
        "layers[0].output",
    ),
    (
        "layers.1.nonlinearity",
        "relu",
        "output must be given with a nonlinearity",
        "layers[1].output",
    ),
    (
        "layers.1.weights",
        {"per": "channel"},
        "per must be 'tensor' without an output: raw accumulators need one common scale",
        "layers[1].weights.per",
    ),
    ("input.narrow", True, NARROW, "input.narrow"),
    (
        "layers.0.output",
        {"signed": True, "bits": 1, "narrow": True},
        NARROW,
        "layers[0].output.narrow",
    ),
    (
        "layers.0",
        {
            "type": "linear",
            "units": 8,
            "output": {"signed": True, "narrow": True},
            "requantize": {"overflow": "wrap"},
        },
        "narrow must not be combined with overflow: wrap",
        "layers[0].output.narrow",
    ),
    (
        "layers.0.hardware",
        {"rows": 3},
        "rows must divide 8, not 3 (or set pad: true)",
        "layers[0].hardware.rows",
    ),
    (
        "layers.0.hardware",
        {"simd": 5},
        "simd must divide 12, not 5 (or set pad: true)",
        "layers[0].hardware.simd",
    ),
    ("hardware", {"rows": 4}, "rows must divide 6, not 4 (or set pad: true)", "hardware.rows"),
    ("hardware", {"rows": 7, "pad": True}, "rows must be at most 6, not 7", "hardware.rows"),
    (
        "layers.0.hardware",
        {"simd": 13, "pad": True},
        "simd must be at most 12, not 13",
        "layers[0].hardware.simd",
    ),
]


@pytest.mark.parametrize(("path", "value", "message", "where"), ERRORS, ids=range(len(ERRORS)))
def test_errors(path, value, message, where):
    if isinstance(path, str):
        path = [int(part) if part.isdigit() else part for part in path.split(".")]
    with raises(SpecError, f"{message} (x.yaml: {where})" if where else f"{message} (x.yaml)"):
        parse_spec(changed(path, value), "x.yaml")


@pytest.mark.parametrize("value", [None, [], "text", 3])
def test_not_a_mapping(value):
    message = f"a specification must be a mapping, not {type(value).__name__} (x.yaml)"
    with raises(SpecError, message):
        parse_spec(value, "x.yaml")


def test_padded_folding():
    spec = parse_spec(changed(("hardware",), {"rows": 5, "simd": 7, "pad": True}), "x.yaml")
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


def paths(value, prefix=()):
    """Path of every key and item below ``value``."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        yield (*prefix, key)
        if isinstance(inner, dict | list):
            yield from paths(inner, (*prefix, key))


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)


@unhurried
@given(st.sampled_from(list(paths(BASE))), json)
def test_any_value_gives_one_line(path, value):
    message = refusal(SpecError, parse_spec, changed(path, value), "x.yaml")
    if message is not None:
        assert len(message.splitlines()) == 1
        assert "(x.yaml" in message


@pytest.mark.parametrize("depth", [150, 250, 900])
def test_deep_values(depth):
    value = []
    for _ in range(depth):
        value = [value]
    with pytest.raises(SpecError):
        parse_spec(changed(("data",), value), "x.yaml")


LSTM = {
    "name": "net",
    "data": "pydoc",
    "input": {"shape": [12], "bits": 1},
    "layers": [
        {"type": "lstm", "cells": 8},
        {"type": "linear", "units": 6},
    ],
}


def lstm_with(key, value):
    result = copy.deepcopy(LSTM)
    result["layers"][0][key] = value
    return result


def test_lstm_defaults():
    spec = parse_spec(LSTM, "net.yaml")
    layer = spec.layers[0]
    assert spec.recurrent
    assert not parse_spec(BASE, "net.yaml").recurrent
    assert (layer.weights.levels, layer.weights.per) == (255, "gate")
    assert layer.preactivation.model_dump() == {"bits": 10, "fraction": 6, "guard_bits": 3}
    assert layer.tables.model_dump() == {"sigmoid_bits": 8, "tanh_bits": 8, "step_bits": 0}
    assert layer.cell.model_dump() == {"bits": 16, "fraction": 11}
    assert layer.output.bits == 8
    assert layer.requantize.multiplier_bits == 16
    assert spec.layer_inputs(1) == layer.units == 8
    assert (spec.train.steps, spec.train.clip) == (50, None)


def test_a_layer_is_one_product_or_two():
    value = lstm_with("hardware", {"hidden": {"rows": 4, "simd": 2}})
    value["hardware"] = {"rows": 2}
    spec = parse_spec(value, "net.yaml")
    sizes = [(p.name, p.layer, p.outputs, p.inputs, p.scales, p.path) for p in spec.products]
    assert sizes == [
        ("layer0_input", 0, 32, 12, 32, "hardware"),
        ("layer0_hidden", 0, 32, 8, 32, "layers[0].hardware.hidden"),
        ("layer1", 1, 6, 8, 1, "hardware"),
    ]
    assert [(p.hardware.rows, p.hardware.simd) for p in spec.products] == [(2, 1), (4, 2), (2, 1)]
    assert spec.layer_hardware(0).rows == 4


LSTM_KEYS = ["weights", "preactivation", "tables", "cell", "output", "requantize", "hardware"]
LSTM_ERRORS = [
    ("cels", 3, "unknown key 'cels'; did you mean 'cells'?", "cels"),
    ("cells", 0, "cells must be greater than or equal to 1, not 0", "cells"),
    ("units", 3, "unknown key 'units'; did you mean 'weights'?", "units"),
    ("weights", {"levl": 3}, "unknown key 'levl'; did you mean 'levels'?", "weights.levl"),
    ("weights", {"levels": 4}, "levels must be odd, not 4", "weights.levels"),
    (
        "weights",
        {"per": "channel"},
        "per must be 'tensor' or 'gate', not 'channel'",
        "weights.per",
    ),
    (
        "hardware",
        {"hiden": {}},
        "unknown key 'hiden'; did you mean 'hidden'?",
        "hardware.hiden",
    ),
    (
        "hardware",
        {"hidden": {"rows": 3}},
        "rows must divide 32, not 3 (or set pad: true)",
        "hardware.hidden.rows",
    ),
    (
        "hardware",
        {"input": {"simd": 13, "pad": True}},
        "simd must be at most 12, not 13",
        "hardware.input.simd",
    ),
    (
        "cell",
        {"fraction": 5},
        "fraction must be at least 6, that of preactivation, not 5",
        "cell.fraction",
    ),
    (
        "cell",
        {"fraction": 17},
        "fraction must be at most 16 (sigmoid_bits + tanh_bits), not 17",
        "cell.fraction",
    ),
    (
        "tables",
        {"step_bits": 9},
        "step_bits must be at most 8 for 10 bits of preactivation, not 9",
        "tables.step_bits",
    ),
    (
        "requantize",
        {"multiplier_bits": 0},
        "multiplier_bits must be greater than or equal to 1, not 0",
        "requantize.multiplier_bits",
    ),
    ("type", 5, f"{TYPES}, not 5", "type"),
]


@pytest.mark.parametrize(("key", "value", "message", "where"), LSTM_ERRORS)
def test_lstm_errors(key, value, message, where):
    found = refusal(SpecError, parse_spec, lstm_with(key, value), "x.yaml")
    assert found.startswith(message)
    assert found.endswith(f"(x.yaml: layers[0].{where})")


def test_a_long_output_needs_long_tables():
    value = lstm_with("output", {"bits": 16})
    value["layers"][0] |= {"tables": {"sigmoid_bits": 6, "tanh_bits": 7}}
    message = "bits must be at most 14 (sigmoid_bits + tanh_bits + 1), not 16"
    with raises(SpecError, f"{message} (x.yaml: layers[0].output.bits)"):
        parse_spec(value, "x.yaml")


def test_a_layer_without_a_type():
    value = lstm_with("type", "lstm")
    del value["layers"][0]["type"]
    with raises(SpecError, "type is missing (x.yaml: layers[0].type)"):
        parse_spec(value, "x.yaml")
    value["layers"][0] = 5
    with raises(SpecError, "layers[0] must be an object, not 5 (x.yaml: layers[0])"):
        parse_spec(value, "x.yaml")


def test_names_of_products_are_taken():
    value = copy.deepcopy(LSTM)
    value["layers"][1]["name"] = "Layer0_hidden"
    message = "name must be unique, but layers[0] is 'layer0_hidden' too"
    with raises(SpecError, f"{message} (x.yaml: layers[1].name)"):
        parse_spec(value, "x.yaml")


@unhurried
@given(st.sampled_from([*paths(LSTM), *(("layers", 0, key) for key in LSTM_KEYS)]), json)
def test_any_value_in_an_lstm_gives_one_line(path, value):
    changed_value = copy.deepcopy(LSTM)
    target = changed_value
    for part in path[:-1]:
        target = target[part]
    target[path[-1]] = value
    message = refusal(SpecError, parse_spec, changed_value, "x.yaml")
    if message is not None:
        assert len(message.splitlines()) == 1
        assert "(x.yaml" in message
