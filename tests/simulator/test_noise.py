"""Names of groups of weights, and signal-to-quantization-noise ratios against the formula."""

import json
import math

import numpy as np
import pytest
from typer.testing import CliRunner

from fxsim.cli import app
from fxsim.floats.checkpoint import Checkpoint, LinearParameters, RetrainedParameters
from fxsim.floats.forward import forward, layer_outputs
from fxsim.quantizer.quantizer import quantize, quantized_parameters
from fxsim.simulator import simulate
from fxsim.simulator.noise import activation_noise, decibels, weight_noise
from fxsim.simulator.scale_noise import scale_noise
from fxsim.spec import parse_spec
from fxsim.spec.weight_groups import weight_groups


def make_spec(*layers, shape=(4,)):
    last = {"type": "linear", "units": 3, "weights": {"levels": 7}}
    return parse_spec(
        {"name": "n", "data": "d", "input": {"shape": list(shape)}, "layers": [*layers, last]}, "t"
    )


HIDDEN = {"type": "linear", "units": 6, "weights": {"levels": 7}, "output": {"signed": True}}
LSTM = {"type": "lstm", "cells": 5, "projection": {"units": 2}}
CONVOLUTION = HIDDEN | {"type": "convolution", "units": 2, "kernel": 2}
POOL = {"type": "max_pool", "kernel": 2}


@pytest.mark.parametrize(
    ("spec", "groups"),
    [
        (make_spec(), ["In-out"]),
        (make_spec(HIDDEN, HIDDEN, HIDDEN, HIDDEN), ["In-h1", "h1-h2", "h2-h3", "h3-h4", "h4-out"]),
        (
            make_spec(CONVOLUTION, POOL, CONVOLUTION, {"type": "flatten"}, HIDDEN, shape=(1, 8, 8)),
            ["In-C1", "C1-C2", "C2-F1", "F1-out"],
        ),
        (
            make_spec({"type": "lstm", "cells": 5}, LSTM),
            ["In-L1", "L1-L1", "L1-L2", "P2-L2", "L2-P2", "P2-out"],
        ),
    ],
)
def test_groups_have_the_names_of_the_paper(spec, groups):
    found = weight_groups(spec)
    assert list(found) == groups
    assert list(found.values()) == [product.name for product in spec.products]


def test_decibels():
    x = np.array([3.0, -4.0])
    assert decibels(x, np.array([3.5, -4.0])) == pytest.approx(20.0)  # 25 / 0.25 = 100
    assert decibels(x, x) == math.inf
    assert decibels(np.zeros(2), x) == -math.inf


def make_parameters(spec, seed=0):
    rng = np.random.default_rng(seed)
    return {
        product.name: LinearParameters(
            weight=rng.normal(size=(product.outputs, product.inputs)),
            bias=rng.normal(size=product.outputs),
        )
        for product in spec.products
    }


def test_noise_of_weights_is_that_of_the_formula():
    """By hand, element by element, at the scale that quantization uses."""
    spec = make_spec(HIDDEN)
    parent = make_parameters(spec)
    found = weight_noise(spec, Checkpoint(parent=parent))
    real = quantized_parameters(spec, Checkpoint(parent=parent))
    for group, name in (("In-h1", "layer0"), ("h1-out", "layer1")):
        signal = noise = 0.0
        for w, q in zip(parent[name].weight.flat, real[name].weight.flat, strict=True):
            signal += w * w
            noise += (w - q) ** 2
        assert found[group] == pytest.approx(10 * math.log10(signal / noise))
        assert 10 < found[group] < 20


def test_a_bit_more_is_about_6_decibels():
    """Uniform weights lose exactly scale^2 / 12: 6.02 dB for each doubling of the levels."""
    ratios = []
    for levels in (7, 15, 31, 63, 127):
        spec = make_spec({**HIDDEN, "weights": {"levels": levels}, "units": 400}, shape=(64,))
        names = [product.name for product in spec.products]
        rng = np.random.default_rng(1)
        parent = make_parameters(spec)
        parent[names[0]] = LinearParameters(
            weight=rng.uniform(-1, 1, (400, 64)), bias=np.zeros(400)
        )
        ratios.append(weight_noise(spec, Checkpoint(parent=parent))["In-h1"])
        assert ratios[-1] == pytest.approx(20 * math.log10(levels), abs=0.1)
    assert np.diff(ratios) == pytest.approx(6.1, abs=0.6)


def test_after_retraining_the_signal_is_the_weight_that_was_retrained():
    spec = make_spec()
    parent, moved = make_parameters(spec), make_parameters(spec, seed=1)
    retrained = {
        name: RetrainedParameters(weight=p.weight, bias=p.bias, scale=np.array([0.5]), levels=7)
        for name, p in moved.items()
    }
    checkpoint = Checkpoint(parent=parent, retrained=retrained)
    w = moved["layer0"].weight
    q = np.clip(np.trunc(w / 0.5 + np.copysign(0.5, w)), -3, 3) * 0.5
    expected = 10 * math.log10((w**2).sum() / ((w - q) ** 2).sum())
    assert weight_noise(spec, checkpoint)["In-out"] == pytest.approx(expected)
    assert weight_noise(spec, checkpoint, direct=True)["In-out"] != pytest.approx(expected)


@pytest.mark.parametrize("shape", [(4,), (1, 6, 6)])
def test_noise_of_activations(shape):
    front = [HIDDEN] if len(shape) == 1 else [CONVOLUTION, POOL, {"type": "flatten"}, HIDDEN]
    spec = make_spec(*front, shape=shape)
    parent = make_parameters(spec)
    checkpoint = Checkpoint(parent=parent)
    x = np.random.default_rng(2).uniform(0, 1, (50, *shape))
    network = quantize(spec, checkpoint, x)
    rounded = quantized_parameters(spec, checkpoint)
    own = activation_noise(spec, rounded, network, x)
    whole = activation_noise(spec, parent, network, x)
    assert list(own) == [layer.name for layer in network.layers]
    real, signal = network.output.scale * simulate(network, x), forward(spec, rounded, x)
    ratio = (signal**2).sum() / ((signal - real) ** 2).sum()
    last = list(own)[-1]
    assert own[last] == pytest.approx(10 * math.log10(ratio))
    assert all(own[name] > whole[name] for name in own)
    assert own[last] > 25 > whole[last]


def test_layer_outputs_end_with_the_output():
    spec = make_spec(CONVOLUTION, POOL, {"type": "flatten"}, HIDDEN, shape=(1, 6, 6))
    parent, x = make_parameters(spec), np.random.default_rng(3).normal(size=(5, 1, 6, 6))
    outputs = layer_outputs(spec, parent, x)
    assert list(outputs) == [spec.layer_name(i) for i in range(5)]
    np.testing.assert_array_equal(outputs["layer4"], forward(spec, parent, x))
    assert outputs["layer1"].shape == (5, 2 * 2 * 2)


def test_the_command(tmp_path):
    figure = tmp_path / "noise.svg"
    arguments = ["noise", "digits-mlp-ternary", "-o", str(figure)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "In-h1" in result.stdout
    assert figure.read_text().count("In-h1") == 1
    facts = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)
    assert [row["group"] for row in facts["weights"]] == ["In-h1", "h1-h2", "h2-out"]
    assert facts["weights"][0]["decibels"] < 10 < 40 < facts["weights"][2]["decibels"]
    assert all(row["own_decibels"] > row["decibels"] for row in facts["activations"])
    assert [row["place"] for row in facts["scales"]] == ["input", "layer0", "layer1"]
    assert "percentile 99.9" in result.stdout


def test_the_cost_of_a_scale_is_that_of_its_rounding():
    """One neuron passes 0.1 .. 10 on: what each scale cuts and rounds off, by numpy."""
    wide = {"scale": {"range": [0, 5]}, "bits": 4, "signed": False}
    tree = {
        "name": "n",
        "data": "d",
        "input": {"shape": [1], "bits": 16},
        "layers": [{"type": "linear", "units": 1, "output": wide}],
    }
    spec = parse_spec(tree, "t")
    parent = {"layer0": LinearParameters(weight=np.ones((1, 1)), bias=np.zeros(1))}
    x = np.arange(1, 101)[:, None] / 10
    network = quantize(spec, Checkpoint(parent=parent), x)
    source, output = scale_noise(spec, parent, network, x)
    assert (source.place, output.place) == ("input", "layer0")
    assert source.clipped == 0
    assert output.chosen.scale == 5 / 15
    assert output.clipped == np.mean(x > 15.5 / 3)  # 5.2 and more

    def by_hand(step):
        q = np.floor(x / step + 0.5).clip(0, 15)
        return 10 * math.log10((x**2).sum() / ((x - step * q) ** 2).sum())

    assert output.decibels == pytest.approx(by_hand(1 / 3))
    assert output.others["percentile 100"] == pytest.approx(by_hand(10 / 15))
    assert output.others["power of two"] == pytest.approx(max(by_hand(1.0), by_hand(0.5)))
    assert output.others["calibrated"] == pytest.approx(
        max(by_hand(10 / 15 * k / 64) for k in range(2, 65))
    )
    assert output.others["calibrated"] > output.decibels
