"""Concat, resize and rescale in a specification: what is refused, and what becomes of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fxsim.errors import SpecError
from fxsim.floats.checkpoint import Checkpoint
from fxsim.network import Concat, Rescale
from fxsim.quantizer import quantize
from fxsim.simulator.simulator import simulate
from fxsim.spec import parse_spec
from fxsim.training.calibrate import follow
from fxsim.training.module import Network
from tests.messages import raises
from tests.spec.specs import refused

IMAGES = {
    "name": "n",
    "data": "d",
    "inputs": {"x": {"shape": [2, 4, 6]}, "y": {"shape": [4, 2, 3], "bits": 6, "signed": True}},
    "layers": [
        {"type": "resize", "name": "tall", "factor": 2, "sources": ["y"]},
        {"type": "concat", "name": "both", "sources": ["tall", "x"]},
        {"type": "rescale", "name": "short", "output": {"bits": 4}},
    ],
}


def test_shapes_and_word_lengths():
    spec = parse_spec(IMAGES, "x.yaml")
    assert [spec.shapes[name] for name in ("tall", "both", "short")] == [
        (4, 4, 6),
        (6, 4, 6),
        (6, 4, 6),
    ]
    tall, both, short = spec.layers
    assert (tall.bits_out(6), both.bits_out(6, 8), short.bits_out(8)) == (6, 8, 4)
    assert short.output.signed
    assert (tall.factors, both.operands("tall")) == ((2, 2), ("tall", "x"))


@pytest.mark.parametrize(
    ("path", "value", "message", "where"),
    [
        ("layers.0.sources", ["x", "y"], "resize takes 1 source, not 2", "layers[0].sources"),
        (
            "layers.0.factor",
            [1, 1],
            "factor must be greater than 1, at least one of two",
            "layers[0].factor",
        ),
        (
            "layers.0.hardware",
            {"lanes": 3},
            "lanes must divide 4 channels, not 3",
            "layers[0].hardware.lanes",
        ),
        (
            "layers.1.sources",
            ["tall"],
            "concat needs 2 sources or more, not 'tall' alone",
            "layers[1].sources",
        ),
        (
            "layers.1.sources",
            ["tall", "y", "x"],
            "'y' must have the height and width of 'tall', 4 x 6, not 2 x 3",
            "layers[1].sources",
        ),
        (
            "layers.1.hardware",
            {"lanes": 4},
            "lanes must divide 2 channels, not 4",
            "layers[1].hardware.lanes",
        ),
        (
            "layers.1.requantize",
            {"multiplier_bits": 0},
            "multiplier_bits must be at least 1, not 0: each scale needs a multiplier",
            "layers[1].requantize.multiplier_bits",
        ),
        (
            "layers.2.output",
            {"bits": 4, "narrow": True, "signed": False},
            "narrow must be used with signed formats of 2 bits or more",
            "layers[2].output.narrow",
        ),
        (
            "layers.2.name",
            "both_x",
            "name must be unique, but layers[1] is 'both_x' too",
            "layers[2].name",
        ),
    ],
)
def test_what_is_refused(path, value, message, where):
    refused(IMAGES, path, value, message, where)


@pytest.mark.parametrize("factor", [0, 1025, [2], [2, 2, 2]])
def test_factors_that_are_none(factor):
    layers = [IMAGES["layers"][0] | {"factor": factor}, *IMAGES["layers"][1:]]
    two = "an integer from 1 to 1024, or a list of two: down and across"
    message = f"factor must be {two}, not {factor} (x.yaml: layers[0].factor)"
    with raises(SpecError, message):
        parse_spec(IMAGES | {"layers": layers}, "x.yaml")


def quantized(tree=IMAGES):
    spec, generator = parse_spec(tree, "x.yaml"), np.random.default_rng(5)
    samples = {
        "x": generator.random((20, 2, 4, 6)),
        "y": 3 * generator.normal(size=(20, 4, 2, 3)),
    }
    return spec, quantize(spec, Checkpoint(parent={}), samples), samples


def test_sources_that_differ_are_rescaled():
    _, network, _ = quantized()
    names = [layer.name for layer in network.layers]
    assert names == ["tall", "both_tall", "both_x", "both", "short"]
    *_, both, _ = network.layers
    assert isinstance(both, Concat)
    assert (both.output.format.bits, both.output.format.signed) == (8, True)
    assert network.taken["both"] == ("both_tall", "both_x")
    assert network.taken["both_x"] == ("x",)
    rescales = [layer for layer in network.layers if isinstance(layer, Rescale)]
    assert {layer.output for layer in rescales[:2]} == {both.output}


def test_training_rounds_as_the_network_does():
    """Every edge and every layer: the same integers, as multipliers are exact enough here."""
    spec, network, samples = quantized()
    module = Network(spec).eval()
    follow(module, network)
    with torch.no_grad():
        found = module({name: torch.from_numpy(values) for name, values in samples.items()})
    output = network.output
    steps = found.permute(0, 2, 3, 1).flatten(1).numpy() / output.scale
    integers = simulate(network, samples)
    assert np.abs(steps + output.zero_point - integers).max() <= 1  # ties after 16-bit multipliers
    assert np.mean(np.abs(steps + output.zero_point - integers) < 1e-3) > 0.99
