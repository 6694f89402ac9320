"""Training with rounded activations: the scales of `fxsim.quantizer`, whole runs, the simulator."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fxsim.data import Dataset, Split, load
from fxsim.errors import RangeError, SpecError
from fxsim.floats.checkpoint import Checkpoint, LinearParameters
from fxsim.quantizer.quantizer import quantize, quantized_parameters
from fxsim.simulator import simulate
from fxsim.simulator.evaluate import calibration_samples
from fxsim.spec import parse_spec
from fxsim.training import Network, predict, step_sizes, train
from fxsim.training.activations import OnTheFly
from fxsim.training.calibrate import calibrate, follow, quantize_on_the_fly
from fxsim.training.parameters import retrained

WEIGHTS = {"levels": 15}
DENSE = {"type": "linear", "weights": WEIGHTS}
LAST = DENSE | {"units": 10}
WRAPPED = {"overflow": "wrap", "rounding": "floor"}
HIDDEN = DENSE | {"units": 24, "nonlinearity": "relu", "output": {"bits": 6}}
LSTM = {"type": "lstm", "cells": 6, "weights": WEIGHTS}
PROJECTION = {"units": 3, "weights": WEIGHTS, "output": {"bits": 5}}
CONVOLUTION = {"type": "convolution", "units": 4, "kernel": 3, "padding": 1, "weights": WEIGHTS}
IMAGES = [
    CONVOLUTION | {"output": {"bits": 6}, "nonlinearity": "relu", "batch_norm": True},
    {"type": "max_pool", "kernel": 2},
    CONVOLUTION | {"name": "second", "output": {"bits": 7, "signed": True}},
    {"type": "add", "shortcut": "layer1", "output": {"bits": 6, "signed": True}},
    {"type": "average_pool", "kernel": 3, "stride": 1},
    {"type": "flatten"},
    LAST,
]


def make(layers, shape=(64,), signed=False, recipe=None, **retrain):
    value = {
        "name": "n",
        "data": "d",
        "input": {"shape": list(shape), "signed": signed},
        "layers": layers,
        "train": {"epochs": 3, "batch": 64, "optimizer": {"lr": 0.05}} | (recipe or {}),
        "retrain": {"activations": "calibrated", "epochs": 2} | retrain,
    }
    return parse_spec(value, "t")


@pytest.mark.parametrize(
    ("layers", "shape", "bits"),
    [
        (
            [HIDDEN | {"output": {"bits": 3}}, HIDDEN | {"requantize": WRAPPED}, LAST],
            [5],
            [8, 3, 6],
        ),
        ([LSTM | {"output": {"bits": 3}, "projection": PROJECTION}, LAST], [5], [8, 5, 3, 5]),
        (IMAGES, [2, 8, 8], [8, 6, 6]),
    ],
)
def test_scales_are_those_that_quantize_finds_for_the_present_weights(layers, shape, bits):
    torch.manual_seed(7)
    spec = make(layers, shape, signed=True)
    network = Network(spec)
    step_sizes.refresh(network, "l2")
    leading = (50, 4) if spec.recurrent else (50,)
    samples = torch.randn(*leading, *shape).double().numpy()
    network.train()(torch.from_numpy(samples).float())  # statistics of batch normalisation
    calibrate(network, samples)
    names = [place.name for place in spec.products]
    found = dict(zip(names, map(retrained, network.linears()), strict=True))
    expected = Network(spec)
    follow(expected, quantize(spec, Checkpoint(parent=found, retrained=found), samples))
    assert network.leaving == expected.leaving
    inputs = [product.inputs for product in network.linears()]
    assert inputs == [product.inputs for product in expected.linears()]
    yielding = {"input", *(spec.layer_name(i) for i in range(spec.last))}
    assert set(network.leaving) == yielding - {"layer1" if spec.spatial else "", "layer5"}
    quantize_on_the_fly(network)
    assert [product.inputs for product in network.linears()] == [OnTheFly(bits=n) for n in bits]


def test_a_float_layer_is_calibrated_as_one():
    """Ternary weights would yield other ranges than the float ones that the layer has."""
    spec = make([HIDDEN | {"weights": {"levels": 3}}, LAST], float_layers=["layer0"])
    network, data = Network(spec).eval(), load("digits")
    samples = calibration_samples(data)
    step_sizes.refresh(network, "l2")
    calibrate(network, samples)
    real = network.layers[0](torch.from_numpy(samples).float()).max().item()
    (activation,) = [network.leaving["layer0"].activation]
    assert 0.3 * real < activation.format.max * activation.scale < 1.01 * real


def test_each_refresh_of_the_steps_calibrates_anew_and_nothing_else_does(monkeypatch):
    calls = []
    monkeypatch.setattr("fxsim.training.run.calibrate", lambda *_: calls.append(1))
    data = load("digits")
    for keys, count in (
        ({}, 1),
        ({"scheme": "first", "refreshes": 3}, 1 + 3),
        ({"scheme": "adaptive", "epochs": 6, "refreshes": 2, "gradual": [63]}, 2 * (1 + 5)),
        ({"step": "search"}, 2),  # for the losses, and with the steps found
        ({"activations": "float"}, 0),
        ({"activations": "on_the_fly"}, 0),
    ):
        calls.clear()
        train(make([HIDDEN, LAST], recipe={"epochs": 0}, **keys), data)
        assert len(calls) == count, keys


def as_in_integers(product):
    """Real weight and bias with the bias as it is rounded, and the multiplier in the scale."""
    unit, offset = product.weight_scale * product.input.scale, 0.0
    if (tail := product.tail) is not None:
        step = product.output.scale / 2.0**tail.shift
        unit, offset = step * tail.multiplier, step * tail.offset
    weight = (unit / product.input.scale)[:, None] * product.weight
    return LinearParameters(weight=weight, bias=unit * product.bias + offset)


NORMALISED = CONVOLUTION | {"batch_norm": True, "nonlinearity": "relu", "output": {"bits": 4}}


@pytest.mark.parametrize(
    ("layers", "shape", "floats", "most"),
    [
        ([HIDDEN | {"output": {"bits": 3}}, HIDDEN | {"output": {"bits": 3}}, LAST], [64], 50, 15),
        ([HIDDEN | {"output": {"bits": 8}}, HIDDEN | {"output": {"bits": 8}}, LAST], [64], 0, 5),
        (
            [NORMALISED, {"type": "max_pool", "kernel": 2}, {"type": "flatten"}, LAST],
            *([1, 8, 8], 10, 5),
        ),
    ],
)
def test_the_fake_quantized_network_is_the_simulator_but_for_biases_and_multipliers(
    layers, shape, floats, most
):
    data = load("digits").shaped(tuple(shape))
    spec = make(layers, shape, recipe={"epochs": 6, "dropout": 0.1}, epochs=3)
    checkpoint = train(spec, data)
    network = quantize(spec, checkpoint, calibration_samples(data))
    x = np.concatenate([data.train.x, data.test.x])
    fixed = simulate(network, x)
    parameters = quantized_parameters(spec, checkpoint)
    found = [predict(spec, parameters, x), predict(spec, parameters, x, network)]
    differing = [int((y.argmax(axis=1) != fixed.argmax(axis=1)).sum()) for y in found]
    print(
        f"of {len(x)} predictions {differing[0]} differ from those with float activations,"
        f" {differing[1]} from those with rounded ones"
    )
    assert len(x) == 1797
    assert differing[0] >= max(floats, differing[1])
    assert differing[1] <= most
    # Nothing is left once biases and multipliers are those of the integers: every output is equal.
    parameters = {product.name: as_in_integers(product) for product in network.linears}
    same = predict(spec, parameters, x, network) / network.output.scale
    np.testing.assert_allclose(same, fixed, rtol=0, atol=1e-6)


def test_training_with_coarse_activations_repairs_what_they_cost():
    """Of 1 bit: accuracy in integers after training that knew of it, and after one that did not."""
    data = load("digits")
    hidden = HIDDEN | {"output": {"bits": 1}}
    found = {}
    for activations in ("float", "calibrated", "on_the_fly"):
        recipe = {"epochs": 10, "batch": 32}
        spec = make(
            [hidden, hidden, LAST],
            recipe=recipe,
            activations=activations,
            epochs=10,
            optimizer={"lr": 0.02},
            scheme="adaptive",
        )
        network = quantize(spec, train(spec, data), calibration_samples(data))
        found[activations] = (simulate(network, data.test.x).argmax(axis=-1) == data.test.y).mean()
    print(found)
    assert found["calibrated"] > found["float"] + 0.02


class Interruption(Exception):
    pass


@pytest.fixture(scope="module")
def sequences():
    rng = np.random.default_rng(1)
    ids = np.tile([0, 1, 1, 2, 3], 60)
    ids = np.where(rng.random(ids.size) < 0.02, rng.integers(0, 4, ids.size), ids)
    split = Split(np.eye(4)[ids[:290].reshape(-1, 10)], ids[1:291].reshape(-1, 10))
    return Dataset("d", split, Split(split.x[:8], split.y[:8]), 4)


def images():
    rng = np.random.default_rng(2)
    x, y = rng.random((96, 2, 8, 8)), rng.integers(0, 10, 96)
    return Dataset("d", Split(x, y), Split(x[:9], y[:9]), 10, validation=Split(x[:30], y[:30]))


@pytest.mark.parametrize("activations", ["calibrated", "on_the_fly"])
@pytest.mark.parametrize("kind", ["images", "text"])
@pytest.mark.parametrize("last", [3, 4])
def test_an_interrupted_run_goes_on_to_the_same_result(
    activations, kind, last, tmp_path, sequences
):
    """With batch normalisation and dropout, with LSTM layers; refreshed or not after the state."""
    recipe = {"batch": 8, "steps": 12, "epochs": 1, "dropout": 0.2, "optimizer": {"type": "adam"}}
    keys = {"activations": activations, "epochs": 5, "scheme": "first", "early_stop": 3}
    keys["optimizer"] = {"type": "adam", "lr": 0.01}
    if kind == "images":
        data, spec = images(), make(IMAGES, [2, 8, 8], recipe=recipe, **keys)
    else:
        layers = [LSTM | {"projection": PROJECTION}, DENSE | {"units": 4}]
        data, spec = sequences, make(layers, [4], recipe=recipe, **keys)
    whole, done, path = train(spec, data), [], tmp_path / "resume"

    def interrupt(progress):
        done.append(progress)
        if len(done) == last:
            raise Interruption

    with pytest.raises(Interruption):
        train(spec, data, interrupt, resume=path)
    a, b = whole.arrays(), train(spec, data, resume=path).arrays()
    assert a.keys() == b.keys()
    for key in a:
        np.testing.assert_array_equal(a[key], b[key])
    other = make(IMAGES, [2, 8, 8], recipe=recipe, **keys | {"activations": "float"})
    if kind == "images":
        assert (train(other, data).retrained["second"].weight != a["retrained.second.weight"]).any()


def test_float_training_and_the_parent_know_nothing_of_it():
    data = load("digits")
    parents = []
    for activations in ("float", "calibrated", "on_the_fly"):
        parents.append(train(make([HIDDEN, LAST], activations=activations), data).parent)
    for name, parameters in parents[0].items():
        for other in parents[1:]:
            np.testing.assert_array_equal(other[name].weight, parameters.weight)


@pytest.mark.parametrize(
    ("retrain", "message"),
    [
        (
            {"activations": "rounded"},
            r"^activations must be 'float', 'calibrated' or 'on_the_fly', not 'rounded' \(t: retr",
        ),
        (
            {"activation": "float"},
            r"unknown key 'activation'; did you mean 'activations'\? \(t: retrain",
        ),
        (
            {"scheme": "every_update"},
            r"^scheme must be 'fixed', 'adaptive' or 'first' with activations: calibrated, which",
        ),
        (
            {"scheme": "every_update", "activations": "on_the_fly", "refreshes": 2},
            r"^refreshes must be left out with scheme: every_update \(t: retrain.refreshes\)$",
        ),
    ],
)
def test_recipes_that_make_no_sense_are_refused(retrain, message):
    with pytest.raises(SpecError, match=message):
        make([HIDDEN, LAST], **retrain)


def test_what_quantize_would_refuse_is_refused_before_retraining():
    digits = load("digits")
    centred = Split(digits.train.x - 8.0, digits.train.y)
    with pytest.raises(
        SpecError, match=r"^input must be signed: calibration has values down to -8"
    ):
        train(make([HIDDEN, LAST]), replace(digits, train=centred))
    short = HIDDEN | {"requantize": {"multiplier_bits": 1}}
    tall = make([short | {"output": {"bits": 16}}, LAST], recipe={"epochs": 0})
    with pytest.raises(RangeError, match=r"^layer0: .*multiplier_bits must be at least \d+ for a"):
        train(tall, digits)


@pytest.mark.parametrize("backward", ["quantized", "float"])
@pytest.mark.parametrize("activations", ["calibrated", "on_the_fly"])
@pytest.mark.parametrize("kind", ["images", "text"])
def test_no_step_mixes_devices(kind, activations, backward):
    """On `meta`, which computes nothing, but refuses tensors of another device as a GPU does."""
    if kind == "images":
        layers, shape, x = IMAGES, [2, 8, 8], torch.randn(5, 2, 8, 8)
    else:
        layers, shape, x = [LSTM | {"projection": PROJECTION}, LAST], [4], torch.randn(5, 7, 4)
    keys = {"activations": activations, "backward": backward}
    spec = make(layers, shape, signed=True, recipe={"dropout": 0.1}, **keys)
    network = Network(spec)
    step_sizes.refresh(network, "l2")
    scales = [product.scale for product in network.linears()]
    calibrate(network, x.double().numpy())
    if activations == "on_the_fly":
        quantize_on_the_fly(network)
    network.to("meta")
    for product, scale in zip(network.linears(), scales, strict=True):
        product.scale = scale
    optimizer = torch.optim.Adam(network.parameters())
    logits = network.train()(x.to("meta")).flatten(0, -2)
    torch.nn.functional.cross_entropy(logits, logits.argmax(dim=1)).backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()
    gradients = [product.weight.grad for product in network.linears()]
    assert {gradient.device.type for gradient in gradients} == {"meta"}
    with pytest.raises(RuntimeError, match="device"):
        network(x)  # the check can fail
