"""Specifications with adds and an argmax: refusals with their reason, and the way to integers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from fxsim import reference
from fxsim.data import Dataset, Split
from fxsim.errors import FileError, RangeError, SpecError
from fxsim.explorer.evaluate import Evaluator
from fxsim.explorer.job import make_job
from fxsim.explorer.space import parse_space
from fxsim.files import read_yaml, write_yaml
from fxsim.floats.forward import forward
from fxsim.network import Argmax, QuantizedAdd
from fxsim.network.storage import load_network, network_hash, save_network
from fxsim.quantizer.quantizer import quantize, quantized_parameters
from fxsim.simulator.evaluate import accuracy, bits_per_character, float_accuracy
from fxsim.simulator.simulator import simulate, simulate_trace
from fxsim.spec import parse_spec
from fxsim.timing.cycles import completion_times, predict
from fxsim.training import train
from fxsim.training.module import Network
from fxsim.training.parameters import product_parameters
from tests.messages import raises
from tests.spec.specs import refused

CONVOLUTION = {
    "type": "convolution",
    "units": 4,
    "kernel": 3,
    "padding": 1,
    "weights": {"levels": 7, "per": "channel"},
    "batch_norm": True,
    "output": {"bits": 8, "signed": True},
    "hardware": {"rows": 4, "simd": 2},
}
ADD = {"type": "add", "shortcut": "layer0", "nonlinearity": "relu", "output": {"bits": 8}}
SPEC = {
    "name": "net",
    "data": "none",
    "input": {"shape": [2, 6, 4]},
    "layers": [
        CONVOLUTION | {"nonlinearity": "relu", "output": {"bits": 8}},
        CONVOLUTION,
        ADD | {"hardware": {"lanes": 2}},
        {"type": "max_pool", "kernel": 2},
        {"type": "flatten", "name": "flat"},
        {
            "type": "linear",
            "units": 24,
            "output": {"bits": 8, "signed": True},
            "hardware": {"rows": 8, "simd": 8},
        },
        {"type": "add", "name": "again", "shortcut": "flat", "output": {"bits": 6, "signed": True}},
        {"type": "linear", "units": 4},
        {"type": "argmax", "name": "answer", "hardware": {"lanes": 2}},
    ],
    "train": {"epochs": 2, "batch": 8},
    "retrain": {"epochs": 1},
}


def test_shapes():
    spec = parse_spec(SPEC, "x.yaml")
    shapes = list(spec.shapes.values())
    image, half = (4, 6, 4), (4, 3, 2)
    assert shapes == [(2, 6, 4), image, image, image, half, (24,), (24,), (24,), (4,), (1,)]
    assert [spec.layer_sources(i) for i in (2, 6)] == [("layer1", "layer0"), ("layer5", "flat")]
    assert spec.layer_index("input") == -1
    assert spec.classifies


LSTM = {"type": "lstm", "cells": 4}
ERRORS = [
    (
        "layers.2.shortcut",
        "layer1",
        "operands of an add must differ, not be 'layer1' twice",
        "layers[2].shortcut",
    ),
    (
        "layers.2.shortcut",
        "layer3",
        "shortcut must name an earlier layer or an input, not 'layer3', which comes later",
        "layers[2].shortcut",
    ),
    (
        "layers.2.shortcut",
        "zz",
        "shortcut must name an earlier layer or an input, not 'zz' (input, layer0, layer1)",
        "layers[2].shortcut",
    ),
    (
        "layers.2.shortcut",
        "input",
        "'input' must have shape [4, 6, 4], that of 'layer1', not [2, 6, 4]",
        "layers[2].shortcut",
    ),
    (
        "layers.6.shortcut",
        "layer3",
        "'layer3' must have shape [24], that of 'layer5', not [4, 3, 2]",
        "layers[6].shortcut",
    ),
    (
        "layers.2",
        {key: ADD[key] for key in ("type", "shortcut")},
        "output is missing",
        "layers[2].output",
    ),
    (
        "layers.2",
        {key: ADD[key] for key in ("type", "output")},
        "add needs 2 sources or more, or a shortcut, not 'layer1' alone",
        "layers[2].sources",
    ),
    (
        "layers.2",
        ADD | {"requantize": {"multiplier_bits": 0}},
        "multiplier_bits must be at least 1, not 0: each scale needs a multiplier",
        "layers[2].requantize.multiplier_bits",
    ),
    (
        "layers.2",
        ADD | {"output": {"bits": 8, "narrow": True}},
        "narrow must be used with signed formats of 2 bits or more",
        "layers[2].output.narrow",
    ),
    (
        "layers.2.hardware.lanes",
        3,
        "lanes must divide 4 channels, not 3",
        "layers[2].hardware.lanes",
    ),
    (
        "layers.8.hardware.lanes",
        3,
        "lanes must divide 4 values, not 3",
        "layers[8].hardware.lanes",
    ),
    (
        "layers.4",
        {"type": "argmax", "name": "flat"},
        "argmax must be an output only, but 'layer5' takes it",
        "layers[4].type",
    ),
    (
        "layers",
        [CONVOLUTION, {"type": "argmax"}],
        "argmax needs a vector, but 'layer0' is an image; flatten it first",
        "layers[1].type",
    ),
    (
        "layers.7.units",
        1,
        "argmax needs 2 values or more, but 'layer7' is a single one",
        "layers[8].type",
    ),
    (
        "layers.1",
        {key: value for key, value in CONVOLUTION.items() if key != "output"},
        "output is missing: 'layer2' takes no raw accumulators",
        "layers[1].output",
    ),
    (
        "layers.7.weights",
        {"per": "channel"},
        "per must be 'tensor' without an output: raw accumulators need one common scale",
        "layers[7].weights.per",
    ),
]


@pytest.mark.parametrize(("path", "value", "message", "where"), ERRORS)
def test_errors(path, value, message, where):
    refused(SPEC, path, value, message, where)


@pytest.fixture(scope="module")
def trained():
    spec = parse_spec(SPEC, "x.yaml")
    generator = np.random.default_rng(1)
    y = generator.integers(0, 4, 80)
    x = generator.random((80, 2, 6, 4)) + 0.3 * y[:, None, None, None]
    data = Dataset("none", Split(x, y), Split(x, y), 4)
    return spec, train(spec, data), data


@pytest.fixture(scope="module")
def network(trained):
    spec, checkpoint, data = trained
    return quantize(spec, checkpoint, data.train.x)


def test_float_forward_is_that_of_torch(trained):
    """Logits, without the argmax."""
    spec, _, data = trained
    torch.manual_seed(3)
    module = Network(spec)
    module.eval()
    parameters = {
        product.name: product_parameters(linear)
        for product, linear in zip(spec.products, module.linears(), strict=True)
    }
    with torch.no_grad():
        expected = module(torch.from_numpy(data.test.x.astype(np.float32))).numpy()
    assert expected.shape == (80, 4)
    np.testing.assert_allclose(forward(spec, parameters, data.test.x), expected, atol=1e-4)


def test_the_classes_are_those_before_the_argmax(trained):
    spec, _, data = trained
    wrong = replace(data, classes=5)
    with raises(SpecError, "layers[7].units must be 5, the classes of none, not 4"):
        train(spec, wrong)


def test_trained_network_is_quantized_and_simulated(trained, network):
    spec, checkpoint, data = trained
    first, again = network.adds
    assert [network.taken[add.name][1] for add in (first, again)] == ["layer0", "layer3"]
    assert (first.shape, again.shape) == ((4, 6, 4), (24,))
    assert (first.lanes, again.lanes) == (2, 1)
    scale = np.array([summand.scale for summand in first.summands]) / first.output.scale
    exact = scale * 2.0**first.tail.shift
    np.testing.assert_array_less(np.abs(first.multipliers - exact), 0.5 + 1e-9)
    assert max(first.multipliers).bit_length() == 16  # as precise as they can be
    trace = simulate_trace(network, data.test.x)
    scores = network.layers[-2].output.scale * trace.layers[-2].activations
    expected = forward(spec, quantized_parameters(spec, checkpoint), data.test.x)
    assert np.corrcoef(scores.ravel(), expected.ravel())[0, 1] > 0.99
    np.testing.assert_array_equal(trace.output[:, 0], scores.argmax(axis=1))
    np.testing.assert_array_equal(simulate(network, data.test.x), trace.output)
    for image, seen in zip(trace.input[:3].tolist(), trace.output.tolist(), strict=False):
        assert reference.run(network, image)[-1].activations == seen


def test_accuracy_is_that_without_the_argmax(trained, network):
    _, _, data = trained
    scores = replace(network, layers=network.layers[:-1])
    assert network.classifies
    assert accuracy(network, data.test) == accuracy(scores, data.test) > 0.5
    with raises(RangeError, "answer: outputs must be a value for each class, not the index of one"):
        bits_per_character(network, data.test)


def test_float_accuracy_of_the_logits(trained):
    spec, checkpoint, data = trained
    logits = forward(spec, checkpoint.parent, data.test.x)
    expected = np.mean(logits.argmax(axis=1) == data.test.y)
    assert float_accuracy(spec, checkpoint.parent, data.test) == expected


def test_damaged_manifest(network, tmp_path):
    save_network(network, tmp_path)
    value = read_yaml(tmp_path / "network.yaml")
    value["layers"][2]["sources"] = ["layer1", "layer9"]
    write_yaml(tmp_path / "network.yaml", value)
    manifest = tmp_path / "network.yaml"
    with raises(
        FileError, f"{manifest}: sources must be among input, layer0, layer1, not 'layer9'"
    ):
        load_network(tmp_path)


def test_exploration_meets_adds(trained):
    """An operand of an add is kept like any other; the argmax changes neither error nor loss."""
    spec, checkpoint, data = trained
    space = {
        "variables": {
            "bits": {"set": ["layers[0].output.bits"], "to": [2, 8]},
            "sum": {"set": ["layers[2].output.bits"], "to": [3, 8]},
        },
        "objectives": ["error", "loss", "cycles"],
    }
    chosen_on = replace(data, validation=data.test)
    job = make_job(parse_space(spec, space, "x.yaml"), checkpoint, chosen_on)
    evaluator = Evaluator(job)
    for choices in job.space:
        fresh = quantize(job.space.apply(choices), checkpoint, job.calibration, direct=True)
        assert network_hash(evaluator.network(choices)) == network_hash(fresh)
        found = evaluator(choices)
        assert found["error"] == 1.0 - accuracy(fresh, job.validation)
        scores = replace(fresh, layers=fresh.layers[:-1])
        assert found["loss"] == bits_per_character(scores, job.validation)
        assert found["cycles"] == predict(fresh).interval


def test_shortcut_from_the_input():
    layers = [
        {"type": "linear", "units": 6, "output": {"bits": 8, "signed": True}},
        {"type": "add", "shortcut": "input", "output": {"bits": 8, "signed": True}},
        {"type": "argmax"},
    ]
    value = SPEC | {"input": {"shape": [6]}, "layers": layers, "train": {"epochs": 20, "batch": 8}}
    spec = parse_spec(value, "x.yaml")
    generator = np.random.default_rng(1)
    y = generator.integers(0, 6, 60)
    x = np.eye(6)[y] + generator.random((60, 6))
    data = Dataset("none", Split(x, y), Split(x, y), 6)
    network = quantize(spec, train(spec, data), x)
    kinds = [type(layer) for layer in network.layers[1:]]
    assert kinds == [QuantizedAdd, Argmax]
    assert accuracy(network, data.test) > 0.9
    trace = simulate_trace(network, x[:4])
    for vector, seen in zip(trace.input.tolist(), trace.output.tolist(), strict=True):
        assert reference.run(network, vector)[-1].activations == seen
    assert len(completion_times(network, 5)) == 5


def test_argmax_behind_a_recurrence():
    """One class a step."""
    layers = [LSTM, {"type": "linear", "units": 3}, {"type": "argmax"}]
    value = SPEC | {"input": {"shape": [2]}, "layers": layers}
    spec = parse_spec(value | {"retrain": None}, "x.yaml")
    generator = np.random.default_rng(1)
    y = generator.integers(0, 3, (8, 5))
    x = generator.random((8, 5, 2))
    data = Dataset("none", Split(x, y), Split(x, y), 3)
    network = quantize(spec, train(spec, data), x)
    outputs = simulate(network, x)
    assert outputs.shape == (8, 5, 1)
    scores = replace(network, layers=network.layers[:-1])
    np.testing.assert_array_equal(outputs[..., 0], simulate(scores, x).argmax(axis=-1))
    assert accuracy(network, data.test) == accuracy(scores, data.test)
    later = np.array(completion_times(network, 9)) - completion_times(scores, 9)
    assert (later == 1).all()
