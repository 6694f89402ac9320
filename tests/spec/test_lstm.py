"""LSTM layers in a specification."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxsim.errors import SpecError
from fxsim.spec import parse_spec
from tests.messages import raises, refusal
from tests.spec.specs import BASE, TYPES, changed, json_values, paths, refused
from tests.strategies import unhurried

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
    return changed(LSTM, ("layers", 0, key), value)


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
    refused(LSTM, ("layers", 0, key), value, message, f"layers[0].{where}")


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
@given(st.sampled_from([*paths(LSTM), *(("layers", 0, key) for key in LSTM_KEYS)]), json_values)
def test_any_value_in_an_lstm_gives_one_line(path, value):
    message = refusal(SpecError, parse_spec, changed(LSTM, path, value), "x.yaml")
    if message is not None:
        assert len(message.splitlines()) == 1
        assert "(x.yaml" in message
