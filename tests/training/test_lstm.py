from dataclasses import replace

import numpy as np
import pytest
import torch

from fxsim.data import Dataset, Split, load
from fxsim.errors import RangeError, SpecError
from fxsim.floats.forward import forward
from fxsim.quantizer.quantizer import quantize_weight, quantized_parameters, weight_scale
from fxsim.simulator.evaluate import float_bits_per_character
from fxsim.spec import parse_spec
from fxsim.training import step_sizes, train
from fxsim.training.batches import chunks
from fxsim.training.module import Network
from fxsim.training.product import QuantizeWeight


def make_spec(levels=3, retrain=None, layer=None, **recipe):
    return parse_spec(
        {
            "name": "n",
            "data": "d",
            "input": {"shape": [4], "bits": 1},
            "layers": [
                {"type": "lstm", "cells": 6, "weights": {"levels": levels}} | (layer or {}),
                {"type": "linear", "units": 4, "weights": {"levels": 15}},
            ],
            "train": {"optimizer": {"type": "adam", "lr": 0.03}, "batch": 10, "steps": 20}
            | {"clip": 1, "epochs": 2}
            | recipe,
        }
        | ({"retrain": retrain} if retrain else {}),
        "test",
    )


@pytest.fixture(scope="module")
def dataset():
    """Sequences of a text in which the symbols 0 1 1 2 3 return for ever, with a few exceptions."""
    rng = np.random.default_rng(1)
    ids = np.tile([0, 1, 1, 2, 3], 200)
    ids = np.where(rng.random(ids.size) < 0.02, rng.integers(0, 4, ids.size), ids)
    x, y = ids[:990].reshape(-1, 10), ids[1:991].reshape(-1, 10)
    split = Split(np.eye(4)[x], y)
    return Dataset("d", split, Split(split.x[:20], y[:20]), 4)


RETRAIN = {"optimizer": {"type": "adam", "lr": 0.02}, "epochs": 2}


def same(a, b):
    a, b = a.arrays(), b.arrays()
    return a.keys() == b.keys() and all(np.array_equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("levels", [3, 15, 255])
@pytest.mark.parametrize("per", ["gate", "tensor"])
def test_the_quantizer_of_training_is_the_one_of_quantize(levels, per):
    spec = make_spec(levels, layer={"weights": {"levels": levels, "per": per}})
    network = Network(spec)
    step_sizes.refresh(network, "l2")
    for product in network.linears()[:2]:
        weight = product.weight.detach()
        scale = weight_scale(weight.numpy(), spec.layers[0])
        np.testing.assert_array_equal(product.scale, scale)
        assert len(scale) == (24 if per == "gate" else 1)
        q = quantize_weight(weight.numpy(), scale, spec.layers[0].weights.magnitudes)
        real = product.real_weight().detach().numpy()
        np.testing.assert_array_equal(real, (scale[:, None] * q).astype(np.float32))
        np.testing.assert_array_equal(np.rint(real / scale[:, None]), q)


@pytest.mark.parametrize("quantized", [False, True])
def test_the_network_of_training_is_the_float_network(dataset, quantized):
    spec = make_spec(retrain=RETRAIN)
    checkpoint = train(spec, dataset)
    network = Network(spec)
    parameters = quantized_parameters(spec, checkpoint) if quantized else checkpoint.parent
    with torch.no_grad():
        for product, name in zip(network.linears(), parameters, strict=True):
            product.weight.copy_(torch.from_numpy(parameters[name].weight))
            product.bias.copy_(torch.from_numpy(parameters[name].bias))
        x = dataset.test.x
        logits = network(torch.from_numpy(x.astype(np.float32))).numpy()
    np.testing.assert_allclose(logits, forward(spec, parameters, x), atol=2e-5)


def test_state_is_carried_on_and_gradients_stop_at_its_start():
    torch.manual_seed(3)
    network = Network(make_spec())
    x = torch.randn(2, 9, 4)
    whole = network(x)
    network.reset_state()
    parts = torch.cat([network(x[:, :4]), network(x[:, 4:])], dim=1)
    assert torch.allclose(whole, parts, atol=1e-6)
    network(x).sum().backward()  # would fail if it reached the graph of the call before
    assert network.linears()[1].weight.grad.abs().sum() > 0


def test_gradients_see_quantized_weights_and_pass_straight_through():
    torch.manual_seed(4)
    network = Network(make_spec(levels=7))
    x = torch.randn(3, 5, 4)
    step_sizes.refresh(network, "l2")
    network(x).square().sum().backward()
    seen = [product.weight.grad.clone() for product in network.linears()]
    with torch.no_grad():
        for product in network.linears():
            product.weight.copy_(
                QuantizeWeight.apply(product.weight, torch.from_numpy(product.scale), product.spec)
            )
            product.scale = None
    network.zero_grad()
    network.reset_state()
    network(x).square().sum().backward()
    for product, gradient in zip(network.linears(), seen, strict=True):
        assert torch.allclose(product.weight.grad, gradient, atol=1e-5)


@pytest.mark.parametrize("scheme", ["fixed", "adaptive"])
def test_two_runs_give_identical_arrays(dataset, scheme):
    spec = make_spec(retrain=RETRAIN | {"scheme": scheme})
    torch.manual_seed(5)
    first = train(spec, dataset)
    torch.rand(7)  # the state outside does not matter
    assert same(first, train(spec, dataset))
    assert not same(first, train(make_spec(retrain=RETRAIN | {"scheme": scheme}, seed=2), dataset))


def test_a_fixed_step_is_the_optimum_of_the_parent_one_per_gate(dataset):
    spec = make_spec(retrain=RETRAIN)
    checkpoint = train(spec, dataset)
    for name in ("layer0_input", "layer0_hidden"):
        scale = checkpoint.retrained[name].scale
        np.testing.assert_array_equal(
            scale, weight_scale(checkpoint.parent[name].weight, spec.layers[0])
        )
        assert len(set(scale.tolist())) == 4
        assert (scale.reshape(4, 6) == scale.reshape(4, 6)[:, :1]).all()


def test_training_learns_and_retraining_repairs_direct_quantization(dataset):
    spec = make_spec(retrain=RETRAIN | {"epochs": 30}, epochs=40)
    epochs = []
    checkpoint = train(spec, dataset, epochs.append)
    direct, retrained = (
        float_bits_per_character(
            spec, quantized_parameters(spec, checkpoint, direct=way), dataset.train
        )
        for way in (True, False)
    )
    parent = float_bits_per_character(spec, checkpoint.parent, dataset.train)
    print(parent, direct, retrained)
    assert parent < 0.6
    assert retrained < direct - 0.1
    assert [(e.stage, e.epoch) for e in epochs] == [
        *(("float", i + 1) for i in range(40)),
        *(("retrain", i + 1) for i in range(30)),
    ]
    assert epochs[39].loss < epochs[0].loss
    assert epochs[39].accuracy > 0.8


def test_streams_hold_the_text_in_its_order():
    x = torch.arange(60.0).reshape(6, 10, 1)
    y = torch.arange(60).reshape(6, 10) + 1
    pieces = list(chunks(x, y, make_spec(batch=7, steps=3).train))
    assert [chunk.shape for chunk, _ in pieces] == [(7, 3, 1), (7, 3, 1), (7, 2, 1)]
    joined = torch.cat([chunk for chunk, _ in pieces], dim=1).reshape(7, 8)
    assert torch.equal(joined, torch.arange(56.0).reshape(7, 8))
    labels = torch.cat([chunk for _, chunk in pieces], dim=1)
    assert torch.equal(labels, torch.arange(56).reshape(7, 8) + 1)


def test_data_that_do_not_fit_are_refused(dataset):
    with pytest.raises(SpecError, match=r"^digits has no sequences, so layers must have no lstm$"):
        train(make_spec(), load("digits"))
    flat = parse_spec(
        {
            "name": "n",
            "data": "d",
            "input": {"shape": [4]},
            "layers": [{"type": "linear", "units": 4}],
        },
        "test",
    )
    with pytest.raises(SpecError, match=r"^d has sequences, so layers must have an lstm$"):
        train(flat, dataset)
    wide = replace(dataset, train=Split(np.zeros((3, 10, 9)), np.zeros((3, 10), dtype=np.int64)))
    with pytest.raises(SpecError, match=r"^input.shape must be \[9\] for d, not \[4\]$"):
        train(make_spec(), wide)
    with pytest.raises(RangeError, match=r"^batch must be at most 990, the steps of all sequence"):
        train(make_spec(batch=991), dataset)
