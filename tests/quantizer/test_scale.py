"""Scales that a specification gives, and what is said of samples that do not suit one."""

from __future__ import annotations

import numpy as np
import pytest
from typer.testing import CliRunner

from fxsim.cli import app
from fxsim.errors import CalibrationWarning, RangeError, SpecError
from fxsim.floats.checkpoint import Checkpoint, LinearParameters, save_checkpoint
from fxsim.quantizer import quantize
from fxsim.simulator import simulate
from fxsim.spec import parse_spec
from fxsim.spec.scale import Percentile, Range
from tests.messages import raises

NAMED = (
    "a positive number, 'calibrated', 'power_of_two', a percentile above 0 and at most 100, or a"
    " range [LOW, HIGH] that holds 0"
)
X = np.arange(1, 101, dtype=float).reshape(100, 1) / 10  # 0.1, 0.2, ..., 10
ONE = Checkpoint(parent={"layer0": LinearParameters(weight=np.ones((1, 1)), bias=np.zeros(1))})


def spec_of(output=None, source=None, **keys):
    layer = {"type": "linear", "units": 1, "output": {} if output is None else output} | keys
    tree = {"name": "n", "data": "d", "input": {"shape": [1]} | (source or {}), "layers": [layer]}
    return parse_spec(tree, "x.yaml")


def scales(spec, x=X, checkpoint=ONE):
    """Scales of the input and of the output of one neuron that passes its input on."""
    network = quantize(spec, checkpoint, x)
    return network.input.activation.scale, network.layers[0].output.scale


def test_the_input_reaches_as_far_as_is_asked():
    """The greatest of 0.1 .. 10 is 10, the 50th percentile 5.05; uint8 ends at 255, int8 at 127."""
    signed = {"signed": True}
    for source, expected in (
        ({}, 10 / 255),
        ({"scale": "calibrated"}, 10 / 255),
        (signed, 10 / 127),
        ({"scale": 0.0078125}, 2.0**-7),
        ({"scale": 3}, 3.0),
        ({"scale": "power_of_two"}, 2.0**-4),  # 2**-5 ends at 7.97
        ({"scale": {"percentile": 100}}, 10 / 255),
        ({"scale": {"percentile": 50}}, 5.05 / 255),
        ({"scale": {"range": [0, 4]}}, 4 / 255),
        (signed | {"scale": {"range": [-1, 1]}}, 1 / 127),
        (signed | {"scale": {"range": [-2, 1]}}, 2 / 128),
    ):
        found, _ = scales(spec_of(source=source))
        assert found == pytest.approx(expected, rel=1e-12), source


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ({"scale": 0.125}, 0.125),
        ({"scale": {"percentile": 50}, "signed": False}, 5.05 / 255),
        ({"scale": {"percentile": 100}}, 10 / 127),
        ({"scale": {"range": [-20, 5]}}, 20 / 128),
        ({"scale": "power_of_two"}, 2.0**-3),  # int8: 2**-4 would end at 7.9
    ],
)
def test_an_output_reaches_as_far_as_is_asked(output, expected):
    assert scales(spec_of(output))[1] == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize("rounding", ["floor", "to_zero"])
def test_values_on_the_grid_of_a_scale_cost_it_nothing(rounding):
    """With the step 2.3 / 7 no k * 2.3 / 7 is off; some seemed to be, and 0.83 of it better."""
    x = np.arange(8)[:, None] * (2.3 / 7)
    layer = {"type": "linear", "units": 1, "nonlinearity": "relu", "output": {"bits": 3}}
    source = {"shape": [1], "bits": 3}
    tree = {"name": "n", "data": "d", "rounding": rounding, "input": source}
    found = scales(parse_spec(tree | {"layers": [layer]}, "x.yaml"), x)
    assert found == pytest.approx((2.3 / 7, 2.3 / 7), rel=1e-12)


def test_an_output_of_two_bits_clips_by_a_power_of_two_of_least_error():
    """Values 0.1 .. 10 in uint2: by hand, errors with the steps 4, 2 and 1."""
    spec = spec_of({"bits": 2, "signed": False, "scale": "power_of_two"}, {"bits": 16})
    errors = {}
    for step in (4.0, 2.0, 1.0):
        q = np.floor(X / step + 0.5).clip(0, 3)
        errors[step] = np.square(X - step * q).sum()
    assert scales(spec)[1] == min(errors, key=errors.get)


def test_every_layer_takes_a_scale():
    """Convolution, add and projection; the integers are those of the scale by numpy."""
    output = {"output": {"bits": 8, "scale": 0.25}}
    image = {"type": "convolution", "units": 1, "kernel": 1, **output}
    add = {"type": "add", "shortcut": "input", "output": {"bits": 8, "scale": 0.5}}
    tree = {
        "name": "n",
        "data": "d",
        "input": {"shape": [1, 2, 2], "scale": 0.125},
        "layers": [image, add],
    }
    spec = parse_spec(tree, "x.yaml")
    parent = {"layer0": LinearParameters(weight=np.full((1, 1), 2.0), bias=np.zeros(1))}
    x = np.array([[[[0.5, 1.0], [2.0, 3.0]]]])
    network = quantize(spec, Checkpoint(parent=parent), x)
    assert [layer.output.scale for layer in network.layers] == [0.25, 0.5]
    assert simulate(network, x).tolist() == [[3, 6, 12, 18]]  # 3 x in steps of 0.5

    lstm = {"type": "lstm", "cells": 2, "projection": {"units": 1, "output": {"scale": 0.5}}}
    tree = {"name": "n", "data": "d", "input": {"shape": [1]}, "layers": [lstm]}
    spec = parse_spec(tree, "x.yaml")
    parent = {
        product.name: LinearParameters(
            weight=np.ones((product.outputs, product.inputs)), bias=np.zeros(product.outputs)
        )
        for product in spec.products
    }
    (layer,) = quantize(spec, Checkpoint(parent=parent), X.reshape(10, 10, 1)).layers
    assert layer.output.scale == 0.5


@pytest.mark.parametrize(
    "value",
    [
        *(0, -1, True, "percentile", {}, None, [0, 1]),
        *({"percentile": 0}, {"percentile": 101}, {"percentile": "9"}),
        *({"range": [1, 2]}, {"range": [0, 0]}, {"range": [0, 1], "percentile": 9}),
    ],
)
def test_other_values_are_refused(value):
    with raises(SpecError, f"scale must be {NAMED}, not {value!r} (x.yaml: input.scale)"):
        spec_of(source={"scale": value})
    with raises(
        SpecError, f"scale must be {NAMED}, not {value!r} (x.yaml: layers[0].output.scale)"
    ):
        spec_of({"scale": value})


def test_an_unsigned_range_starts_at_0():
    text = "range must start at 0 in an unsigned format, not -1 (or set signed: true) (x.yaml: "
    with raises(SpecError, f"{text}input.scale)"):
        spec_of(source={"scale": {"range": [-1, 1]}})
    with raises(SpecError, f"{text}layers[0].output.scale)"):
        spec_of({"scale": {"range": [-1, 1]}}, nonlinearity="relu")


def test_cells_of_an_lstm_have_one_already():
    layer = {"type": "lstm", "cells": 2, "output": {"scale": 1}}
    tree = {"name": "n", "data": "d", "input": {"shape": [1]}, "layers": [layer]}
    with raises(
        SpecError,
        "output must be without a scale: cells yield -1 to 1, so it is 2**-(bits - 1), not"
        " {'scale': 1} (x.yaml: layers[0].output)",
    ):
        parse_spec(tree, "x.yaml")


@pytest.mark.parametrize(
    ("scale", "found"),
    [(0.5, 0.5), ({"percentile": 99}, Percentile(99.0)), ({"range": [0, 2]}, Range((0.0, 2.0)))],
)
def test_a_dump_is_read_again(scale, found):
    spec = spec_of({"scale": scale, "signed": False}, {"scale": scale})
    assert spec.input.scale == spec.layers[0].output.scale == found
    for left_out in (False, True):
        dump = spec.model_dump(mode="json", exclude_unset=left_out)
        assert dump["input"]["scale"] == scale
        assert parse_spec(dump, "x.yaml") == spec
    hash(spec.layers[0])  # `fxsim.quantizer.quantizer.arithmetic_key`


def test_a_plain_shift_has_the_scales_of_its_accumulator():
    shift = {"requantize": {"multiplier_bits": 0}, "weights": {"levels": 3}}
    power = {"scale": 2.0**-4}
    weight = scales(spec_of(source=power, **shift))[1]
    assert np.log2(weight) % 1 == 0
    assert scales(spec_of({"scale": 0.25}, power, **shift))[1] == 0.25
    assert scales(spec_of({"scale": "power_of_two"}, power, **shift))[1] == weight
    assert scales(spec_of({"scale": {"range": [-9, 9]}}, power, **shift))[1] == 2.0**-3
    with raises(
        SpecError,
        "layer0: output.scale must be 0.0625, the unit of the accumulator, times a power of two"
        " with a plain shift (multiplier_bits: 0), such as 0.25, not 0.3",
    ):
        scales(spec_of({"scale": 0.3}, power, **shift))
    with pytest.raises(SpecError, match=r"^layer0: output.scale must be left to calibration with"):
        scales(spec_of({"scale": "power_of_two"}, {}, **shift))


def test_a_percentile_of_0_sets_no_scale():
    x = np.zeros((100, 1))
    x[:3] = 1.0
    with raises(
        SpecError,
        "input.scale: percentile must be greater than 90, below which all calibration values are 0",
    ):
        scales(spec_of(source={"scale": {"percentile": 90}}), x)


def told(spec, x, checkpoint=ONE):
    with pytest.warns(CalibrationWarning) as seen:
        quantize(spec, checkpoint, x)
    return [str(remark.message) for remark in seen]


def test_values_below_an_unsigned_output_are_told():
    spec = spec_of({"signed": False}, {"signed": True})
    x = np.linspace(-3, 1, 100)[:, None]
    (message,) = told(spec, x)
    assert message == (  # 75 are, but the last, -0.01, is 0 in steps of 3 / 127
        "layer0: 74 % of the calibration values are below 0, down to -3, and become 0 in an"
        " unsigned format; set output.signed: true, or nonlinearity: relu if that is meant"
    )
    spec = spec_of({"signed": False}, {"signed": True}, requantize={"overflow": "wrap"})
    assert "and wrap around in an unsigned format" in told(spec, x)[0]


def test_zeros_are_told():
    text = "all calibration values are 0, which sets no scale, so it is 1; calibrate with typical"
    assert told(spec_of(), np.zeros((3, 1))) == [
        f"input: {text} samples, or set input.scale",
        f"layer0: {text} samples, or set output.scale",
    ]


def test_one_outlier_is_told_and_the_remedy_works():
    x = X.copy()
    x[7] = 1000.0
    message, *_ = told(spec_of(), x)
    assert message == (
        "input: 1 of 100 calibration values set the scale of all: up to 1000, the others up to 10,"
        " which leaves 6.6 of 8 bits unused; set input.scale, to {percentile: 98.9} for example"
    )
    found, _ = scales(spec_of(source={"scale": {"percentile": 98.9}}), x)
    assert 9.8 / 255 < found < 10 / 255


def test_a_scale_that_leaves_nothing_is_told():
    (message, *_) = told(spec_of({"scale": 128}), X)
    assert message == (
        "layer0: no calibration value reaches half a step of 128, the greatest is 10; set a finer"
        " output.scale"
    )


@pytest.mark.filterwarnings("error::fxsim.errors.CalibrationWarning")
def test_usual_samples_are_passed_in_silence():
    rng = np.random.default_rng(0)
    for x in (X, rng.exponential(size=(20000, 1)), np.eye(30)[:, :1]):
        quantize(spec_of(nonlinearity="relu"), ONE, x)


def test_the_command_line_prints_a_warning_as_a_line(tmp_path):
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        "name: n\ndata: digits\ninput: {shape: [64]}\n"
        "layers:\n  - {type: linear, units: 10, output: {signed: false}}\n"
    )
    weight = np.random.default_rng(0).normal(size=(10, 64))
    parent = {"layer0": LinearParameters(weight=weight, bias=np.zeros(10))}
    save_checkpoint(Checkpoint(parent=parent), tmp_path / "checkpoint.npz")
    result = CliRunner().invoke(app, ["quantize", str(spec), "-o", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("warning: layer0: ")
    assert line.endswith("or nonlinearity: relu if that is meant")


def test_a_power_of_two_counts_both_ends_of_a_signed_input():
    """-1 .. 127/128 is what int8 with a scale of 1/128 reaches, and nothing of it is clipped."""
    x = np.array([[-1.0], [127 / 128]] * 10)
    spec = spec_of(output={"signed": True}, source={"signed": True, "scale": "power_of_two"})
    assert scales(spec, x)[0] == 1 / 128


def test_scales_beyond_float64_are_one_line():
    spec = spec_of(source={"bits": 1, "scale": "power_of_two"})
    with pytest.raises(
        RangeError, match=r"^scale must be at most 2\*\*1023 as a power of two, not"
    ):
        quantize(spec, ONE, np.full((4, 1), 1.7e308))
    spec = spec_of(source={"scale": {"range": [0, 5e-324]}})
    with pytest.raises(SpecError, match=r"^input.scale: range must be wider than 0 to 4\.9"):
        quantize(spec, ONE, X)
