"""Batch normalisation of fully connected layers: trained, folded, and exact in integers."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from fxsim.data import load
from fxsim.errors import SpecError
from fxsim.floats.checkpoint import load_checkpoint, save_checkpoint
from fxsim.floats.forward import forward
from fxsim.floats.prune import Criterion, prune
from fxsim.network import QuantizedLinear
from fxsim.quantizer.quantizer import quantize, quantize_input, quantized_parameters
from fxsim.reference import run
from fxsim.simulator import simulate
from fxsim.simulator.evaluate import calibration_samples
from fxsim.spec import parse_spec
from fxsim.training import Network, predict, train
from tests.messages import raises

VALUE = {
    "name": "n",
    "data": "digits",
    "input": {"shape": [64]},
    "layers": [
        {
            "type": "linear",
            "units": 12,
            "weights": {"levels": 7},
            "batch_norm": True,
            "nonlinearity": "relu",
            "output": {},
        },
        {"type": "linear", "units": 10, "weights": {"levels": 7}},
    ],
    "train": {"epochs": 5, "batch": 60, "optimizer": {"lr": 0.05}},
    "retrain": {"epochs": 2},
}

SHIFT = (
    "batch_norm must be false with a plain shift (multiplier_bits: 0): each channel has its own"
    " scale"
)


@pytest.fixture(scope="module")
def trained():
    """Specification, checkpoint and data."""
    spec, data = parse_spec(VALUE, "test"), load("digits")
    networks = []
    checkpoint = train(spec, data, on_start=networks.append)
    return spec, checkpoint, data, networks[0]


def test_the_checkpoint_folds_what_torch_computes(trained, tmp_path):
    spec, checkpoint, data, network = trained
    save_checkpoint(checkpoint, tmp_path / "c.npz")
    loaded = load_checkpoint(tmp_path / "c.npz", spec)
    assert loaded.retrained["layer0"].gain.shape == (12,)
    network.eval()
    with torch.no_grad():
        expected = network(torch.from_numpy(data.test.x.astype(np.float32))).numpy()
    found = forward(spec, quantized_parameters(spec, loaded), data.test.x)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    without = replace(loaded.parent["layer0"], gain=np.ones(12))
    other = forward(spec, dict(loaded.parent) | {"layer0": without}, data.test.x)
    assert not np.allclose(forward(spec, loaded.parent, data.test.x), other, atol=0.1)


def test_it_needs_nothing_new_of_the_hardware_and_is_exact(trained):
    spec, checkpoint, data, _ = trained
    network = quantize(spec, checkpoint, calibration_samples(data))
    first = network.layers[0]
    assert type(first) is QuantizedLinear
    assert first.tail.multiplier.size == 12  # one for each output: the gains are in them
    x = data.test.x[:40]
    integers = quantize_input(network.input, x)
    expected = [run(network, vector.tolist())[-1].activations for vector in integers]
    np.testing.assert_array_equal(simulate(network, x), expected)
    fake = forward(spec, quantized_parameters(spec, checkpoint), data.test.x).argmax(axis=1)
    fixed = simulate(network, data.test.x).argmax(axis=1)
    assert (fake != fixed).mean() < 0.02


def test_starting_from_a_checkpoint_measures_mean_and_variance(trained):
    spec, checkpoint, data, _ = trained
    rest = spec.model_copy(update={"train": spec.train.model_copy(update={"epochs": 0})})
    networks: list[Network] = []
    start = checkpoint.parent
    again = train(
        rest.model_copy(update={"retrain": None}), data, start=start, on_start=networks.append
    )
    before, after = (forward(spec, p, data.test.x) for p in (start, again.parent))
    np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-4)
    sums = data.train.x @ start["layer0"].weight.T
    norm = networks[0].layers[0].norm
    np.testing.assert_allclose(norm.running_mean, sums.mean(axis=0), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(norm.running_var, sums.var(axis=0), rtol=1e-3)


def test_pruning_keeps_the_gain(trained):
    parent = trained[1].parent
    pruned = prune(parent, 0.5, Criterion.MAGNITUDE)
    np.testing.assert_array_equal(pruned["layer0"].gain, parent["layer0"].gain)


def test_a_batch_of_one_is_no_error():
    spec = parse_spec(VALUE, "test")
    network = Network(spec)
    network.train()
    assert torch.isfinite(network(torch.ones(1, 64))).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"output": None, "nonlinearity": "none"},
            "batch_norm must be false without an output: it needs multipliers",
        ),
        ({"requantize": {"multiplier_bits": 0}}, SHIFT),
    ],
)
def test_refusals(change, message):
    value = copy.deepcopy(VALUE)
    layer = value["layers"][0] | change
    if layer["output"] is None:
        del layer["output"]
        value["layers"] = [layer | {"units": 10}]
    else:
        value["layers"][0] = layer
    with raises(SpecError, f"{message} (test: layers[0].batch_norm)"):
        parse_spec(value, "test")


def test_prediction_in_single_precision_is_that_of_the_float_network(trained):
    spec, checkpoint, data, _ = trained
    for parameters in (checkpoint.parent, quantized_parameters(spec, checkpoint)):
        found = predict(spec, parameters, data.test.x)
        np.testing.assert_allclose(
            found, forward(spec, parameters, data.test.x), rtol=1e-4, atol=1e-4
        )
