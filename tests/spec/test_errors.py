"""Every way to get a specification wrong, word for word."""

from __future__ import annotations

import datetime
import math

import pytest

from tests.spec.specs import BASE, TYPES, refused

KNOWN = (
    "known keys: name, data, input, inputs, layers, outputs, rounding, hardware, control, train,"
    " retrain, explore"
)
NAME = "name must start with a letter and hold at most 63 letters, digits or underscores, not"
NARROW = "narrow must be used with signed formats of 2 bits or more"
SURROGATE = "values must be plain YAML (Invalid JSON: unexpected end of hex escape"
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
        "nonlinearity must be 'none', 'relu' or 'relu6', not 'tanh'",
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
        {"levels": 1},
        "levels must be greater than or equal to 2, not 1",
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
    ("layers.0.weights", {"levels": 2}, "levels must be odd, not 2", "layers[0].weights.levels"),
    (
        "layers.0",
        BASE["layers"][0] | {"weights": {"scheme": "binary"}, "hardware": {"pad": True}},
        "pad must be false with binary weights, which have no 0",
        "layers[0].hardware.pad",
    ),
    (
        "layers.0",
        BASE["layers"][0] | {"weights": {"scheme": "binary"}, "hardware": {"rows": 3}},
        "rows must divide 8, not 3",
        "layers[0].hardware.rows",
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
        "output is missing: 'layer1' takes no raw accumulators",
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
    (
        "layers.1.requantize",
        {"multiplier_bits": 8},
        "multiplier_bits must be left out without an output, not 8",
        "layers[1].requantize.multiplier_bits",
    ),
    (
        "layers.1.requantize",
        {"overflow": "wrap"},
        "overflow must be left out without an output, not wrap",
        "layers[1].requantize.overflow",
    ),
    (
        "layers.1.requantize",
        {"rounding": "ties_away"},
        "rounding must be left out without an output, not ties_away",
        "layers[1].requantize.rounding",
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
    refused(BASE, path, value, message, where)
