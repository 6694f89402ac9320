"""Graphs in PyTorch: the values of `fxsim.floats.forward`, training, and calibrated activations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import nn

from fxsim.data import Dataset, Split
from fxsim.errors import SpecError
from fxsim.floats.forward import forward, forward_outputs
from fxsim.floats.scores import accuracy
from fxsim.quantizer.quantizer import quantize, quantized_parameters, uses_retrained
from fxsim.simulator import evaluate
from fxsim.simulator.simulator import simulate
from fxsim.spec import parse_spec
from fxsim.training import predict, train
from fxsim.training.module import Network
from tests.graph_specs import OUT, case, graph_specs
from tests.messages import raises
from tests.strategies import unhurried


def as_vectors(values, shape):
    """Images (..., channels, rows, columns) as vectors, pixel by pixel."""
    return values.movedim(-3, -1).flatten(-3) if len(shape) == 3 else values


@settings(unhurried, max_examples=60)
@given(graph_specs(max_layers=24))
def test_the_module_is_the_float_network(value):
    spec, parameters, samples = case(value)
    module = Network(spec).double().eval()
    for place, product in zip(spec.products, module.linears(), strict=True):
        product.load(parameters[place.name])
    tensors = {name: torch.from_numpy(array) for name, array in samples.items()}
    with torch.no_grad():
        yielded = module.forward_outputs(tensors)
    found = forward_outputs(spec, parameters, samples)
    assert list(yielded) == [name for name in spec.graph.layers if name in spec.outputs]
    for name, expected in found.items():
        seen = as_vectors(yielded[name], spec.shapes[name]).numpy()
        np.testing.assert_allclose(seen, expected, rtol=1e-6, atol=1e-6)


@settings(unhurried, max_examples=30)
@given(graph_specs(max_layers=12, several=False))
def test_every_weight_has_a_gradient(value):
    spec, _, samples = case(value, count=8)
    torch.manual_seed(1)
    module = Network(spec).double()
    (x,) = map(torch.from_numpy, samples.values())
    module(x).square().sum().backward()
    assert all(product.weight.grad is not None for product in module.linears())


CONVOLUTION = {"type": "convolution", "units": 4, "kernel": 3, "padding": 1, "batch_norm": True}
IMAGES = [
    CONVOLUTION | {"name": "stem", "nonlinearity": "relu", "output": {"bits": 8}},
    CONVOLUTION | {"name": "left"} | OUT,
    CONVOLUTION | {"name": "right", "sources": ["stem"], "kernel": 1, "padding": 0} | OUT,
    {"type": "add", "name": "sum", "sources": ["left", "right", "stem"], "output": {"bits": 8}},
    {"type": "average_pool", "name": "mean"},
    {"type": "flatten", "name": "flat"},
    {"type": "linear", "name": "scores", "units": 3},
]
FRAMES = [
    CONVOLUTION | {"name": "stem", "nonlinearity": "relu", "output": {"bits": 8}},
    {"type": "max_pool", "name": "pool", "kernel": 2},
    {"type": "flatten", "name": "flat"},
    {"type": "lstm", "name": "cells", "cells": 6},
    {"type": "linear", "name": "skip", "units": 6, "sources": ["flat"], "batch_norm": True} | OUT,
    {"type": "add", "name": "sum", "sources": ["cells", "skip"]} | OUT,
    {"type": "linear", "name": "scores", "units": 3},
]


def network(layers, shape, **keys):
    value = {"name": "net", "data": "none", "input": {"shape": shape}, "layers": layers}
    return parse_spec(value | keys, "x.yaml")


def images(count=96, steps=None, seed=1):
    """Images whose channel of the label is bright; in sequences the label is that of the last."""
    rng = np.random.default_rng(seed)
    leading = (count,) if steps is None else (count, steps)
    bright = rng.integers(0, 3, leading)
    y = bright if steps is None else np.concatenate([bright[:, :1], bright[:, :-1]], axis=1)
    x = rng.random((*leading, 3, 4, 4)) + 2 * np.eye(3)[bright][..., None, None]
    return Dataset("none", Split(x, y), Split(x, y), 3)


@pytest.mark.parametrize("activations", ["float", "calibrated", "on_the_fly"])
def test_a_graph_of_images_is_trained(activations):
    recipe = {"train": {"epochs": 12, "batch": 8}, "retrain": {"epochs": 3}}
    recipe["retrain"]["activations"] = activations
    spec, data = network(IMAGES, [3, 4, 4], **recipe), images()
    checkpoint = train(spec, data)
    for parameters in (checkpoint.parent, quantized_parameters(spec, checkpoint)):
        logits = forward(spec, parameters, data.test.x)
        assert accuracy(logits, data.test.y) > 0.9
        np.testing.assert_allclose(predict(spec, parameters, data.test.x), logits, atol=1e-4)
    assert uses_retrained(spec, checkpoint)
    quantized = quantize(spec, checkpoint, data.train.x)
    assert quantized.taken["sum"] == ("left", "right", "stem")
    assert evaluate.accuracy(quantized, data.test) > 0.9


def test_sequences_of_images_are_trained():
    """What a step asks for was in the image before: only the LSTM layer can know."""
    recipe = {"train": {"epochs": 40, "batch": 8, "steps": 12, "clip": 1.0}}
    optimizer = {"type": "adam", "lr": 0.01}
    recipe["train"]["optimizer"] = recipe["retrain"] = {"optimizer": optimizer, "epochs": 3}
    recipe["train"]["optimizer"] = optimizer
    spec, data = network(FRAMES, [3, 4, 4], **recipe), images(32, steps=12)
    checkpoint = train(spec, data)
    for parameters in (checkpoint.parent, quantized_parameters(spec, checkpoint)):
        logits = forward(spec, parameters, data.test.x)
        assert accuracy(logits[:, 1:], data.test.y[:, 1:]) > 0.9
        np.testing.assert_allclose(predict(spec, parameters, data.test.x), logits, atol=1e-3)
    assert uses_retrained(spec, checkpoint)
    answers = simulate(quantize(spec, checkpoint, data.train.x), data.test.x).argmax(axis=-1)
    assert (answers == data.test.y)[:, 1:].mean() > 0.9


def test_statistics_are_those_of_all_frames():
    """Batch normalisation sees n * t samples; starting anew from a checkpoint changes nothing."""
    recipe = {"train": {"epochs": 1, "batch": 8, "steps": 12}}
    spec, data = network(FRAMES, [3, 4, 4], **recipe), images(32, steps=12)
    torch.manual_seed(3)
    module, seen = Network(spec), []
    module.layers[0].norm.register_forward_hook(lambda norm, x, y: seen.append(x[0].shape))
    module.layers[4].norm.register_forward_hook(lambda norm, x, y: seen.append(x[0].shape))
    module(torch.from_numpy(data.train.x[:5].astype(np.float32)))
    assert seen == [(60, 4, 4, 4), (60, 6)]
    checkpoint = train(spec, data)
    rest = spec.model_copy(update={"train": spec.train.model_copy(update={"epochs": 0})})
    again = train(rest, data, start=checkpoint.parent)
    x = data.test.x
    np.testing.assert_allclose(
        forward(spec, again.parent, x), forward(spec, checkpoint.parent, x), atol=1e-4
    )


def test_layers_that_the_input_feeds():
    """They start with outputs of variance 1 for the power of the data, others for their inputs."""
    layers = [
        {"type": "lstm", "name": "a", "cells": 400},
        {"type": "lstm", "name": "b", "cells": 400, "sources": ["input"]},
        {"type": "add", "name": "c", "shortcut": "a"} | OUT,
        {"type": "lstm", "name": "d", "cells": 400},
    ]
    torch.manual_seed(1)
    module = Network(network(layers, [100]), power=4.0)
    scales = [layer.input_product.weight.std().item() for layer in module.lstms]
    np.testing.assert_allclose(scales, [4**-0.5, 4**-0.5, 400**-0.5], rtol=0.02)


def test_dropout_is_between_layers():
    """What leaves and what an argmax takes keeps every value, what layers take does not."""
    layers = [{"type": "linear", "units": 64, "name": name} | OUT for name in ("a", "b")]
    layers += [{"type": "argmax", "name": "c"}]
    spec = network(layers, [4], train={"dropout": 0.5}, outputs=["a", "c"])
    module = Network(spec).train()
    for product in module.linears():
        nn.init.ones_(product.weight)
    found = module.forward_outputs(torch.ones(8, 4))
    assert (found["a"] == 4).all()
    assert found["c"].unique().numel() > 1  # of so many values of a
    assert (found["c"] == found["c"][:, :1]).all()  # none of b is gone


TWO_INPUTS = {"a": {"shape": [4]}, "b": {"shape": [4]}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"outputs": ["left", "sum"]}, "net must have one output, not 2 (left, sum)"),
        (
            {"inputs": TWO_INPUTS, "input": None},
            "net must have one input, not 2 (a, b)",
        ),
    ],
)
def test_one_input_and_one_output_are_trained(change, message):
    layers = [
        {"type": "linear", "name": "left", "units": 3} | OUT,
        {"type": "linear", "name": "right", "units": 3} | OUT,
        {"type": "add", "name": "sum", "sources": ["left", "right"]} | OUT,
    ]
    if "inputs" in change:
        layers = [layers[0] | {"sources": ["a"]}, layers[1] | {"sources": ["b"]}, layers[2]]
    else:
        layers[1] = layers[1] | {"sources": ["input"]}
    x, y = np.zeros((6, 4)), np.zeros(6, np.int64)
    with raises(SpecError, message):
        train(network(layers, [4], **change), Dataset("none", Split(x, y), Split(x, y), 3))
