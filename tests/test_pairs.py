"""Every ordered pair of kinds of layers: what the specification accepts works to the Verilog.

What it refuses is one clear line.
"""

from __future__ import annotations

import itertools
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fxsim import reference
from fxsim.data import Dataset, Split
from fxsim.errors import SpecError
from fxsim.hw.emit import emit
from fxsim.network import QuantizedNetwork
from fxsim.quantizer import quantize
from fxsim.simulator import as_input, simulate
from fxsim.simulator.evaluate import calibration_samples
from fxsim.spec import parse_spec
from fxsim.spec.network import LAYER_TYPES
from fxsim.spec.specification import NetworkSpec
from fxsim.training import train

FORMAT = {"output": {"bits": 6, "signed": True}}
KINDS: dict[str, dict[str, Any]] = {
    "linear": {"units": 4} | FORMAT,
    "lstm": {"cells": 4},
    "convolution": {"units": 2, "kernel": 1} | FORMAT,
    "max_pool": {"kernel": 2},
    "average_pool": {"kernel": 2},
    "flatten": {},
    "add": FORMAT,
    "concat": {},
    "resize": {"factor": 2},
    "rescale": FORMAT,
    "argmax": {},
}
"""Keys of a small layer of each kind."""

OF_IMAGES = {"convolution", "max_pool", "average_pool", "flatten", "resize"}
OF_VECTORS = {"linear", "lstm", "argmax"}
JOINS = {"add", "concat"}
SHAPES = {"image": [2, 4, 4], "vector": [4]}
ENDS = {"scores": [], "lstm": [{"type": "lstm", "cells": 4}]}
"""What stands between a pair and the classes: with an LSTM all layers see sequences."""


def layer(kind: str, name: str, *sources: str) -> dict[str, Any]:
    """A layer of the first source; a join takes both."""
    taken = sources if kind in JOINS else sources[:1]
    return {"type": kind, "name": name, "sources": list(taken)} | KINDS[kind]


def yields(kind: str, shape: str) -> str:
    """Shape after a layer."""
    return "vector" if kind in OF_VECTORS | {"flatten"} else shape


def values(first: str, second: str, shape: str, end: str) -> dict[str, Any]:
    """Plain values of a network with a layer of kind ``second`` on one of kind ``first``.

    The other operand of a join is a twin of the first layer, on another source.
    """
    start = layer("convolution" if shape == "image" else "linear", "start", "input")
    layers = [start, layer(first, "first", "start", "input")]
    if second in JOINS:
        layers.append(layer(first, "twin", "input", "start"))
    layers.append(layer(second, "second", "first", "twin"))
    if second != "argmax":
        image = yields(second, yields(first, shape)) == "image"
        layers += [{"type": "flatten"}] * image + ENDS[end] + [{"type": "linear", "units": 3}]
    return {
        "name": "pair",
        "data": "none",
        "input": {"shape": SHAPES[shape], "bits": 6, "signed": True},
        "layers": layers,
        "train": {"epochs": 1, "batch": 2},
        "retrain": {"epochs": 1},
    }


def refused(first: str, second: str, shape: str) -> str | None:
    """What is said of a pair that does not go together."""
    for kind, name, taken in (
        (first, "start", shape),
        (second, "first", yields(first, shape)),
    ):
        if kind in OF_IMAGES and taken == "vector":
            return f"{kind} needs an image, but {name!r} is a vector of"
        if kind in OF_VECTORS and taken == "image":
            return f"{kind} needs a vector, but {name!r} is an image; flatten it first"
    return None


PAIRS = list(itertools.product(KINDS, KINDS))


ACCEPTED = [
    (first, second, shape, end)
    for (first, second), shape, end in itertools.product(PAIRS, SHAPES, ENDS)
    if first != "argmax" and (second, end) != ("argmax", "lstm")
    if refused(first, second, shape) is None
]
"""Pairs that go together, on images and vectors, in networks with and without an LSTM."""


def test_every_kind_is_here() -> None:
    assert KINDS.keys() == LAYER_TYPES.keys()


def data_for(spec: NetworkSpec) -> Dataset:
    """Six samples, or as many sequences of three steps."""
    rng = np.random.default_rng(1)
    leading = (6, 3) if spec.recurrent else (6,)
    classes = math.prod(spec.shapes["first"]) if len(spec.layers) == 3 else 3
    x = rng.normal(size=(*leading, *spec.input.shape))
    split = Split(x, rng.integers(0, classes, size=leading))
    return Dataset("none", split, split, classes)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_what_is_refused_is_one_line(first: str, second: str, shape: str) -> None:
    wanted = values(first, second, shape, "scores")
    if first == "argmax" or (said := refused(first, second, shape)) is not None:
        with pytest.raises(SpecError) as error:
            parse_spec(wanted, "pair.yaml")
        assert re.fullmatch(r"[^\n]+ \(pair\.yaml: layers\[\d\]\.type\)", str(error.value))
        if first != "argmax":
            assert str(error.value).startswith(str(said))
    else:
        parse_spec(wanted, "pair.yaml")


def made(first: str, second: str, shape: str, end: str) -> tuple[QuantizedNetwork, Dataset]:
    """A pair, trained for an epoch and quantized."""
    spec = parse_spec(values(first, second, shape, end), "pair.yaml")
    dataset = data_for(spec)
    return quantize(spec, train(spec, dataset), calibration_samples(dataset)), dataset


@pytest.mark.parametrize(("first", "second", "shape", "end"), ACCEPTED)
def test_what_is_accepted_is_trained_quantized_and_simulated(
    first: str, second: str, shape: str, end: str
) -> None:
    network, dataset = made(first, second, shape, end)
    x = as_input(network, dataset.test.x)
    runs = x.reshape(6, -1, x.shape[-1]).tolist()
    steps = [step for run in runs for step in reference.run_sequence(network, run)]
    expected = [step[-1].activations for step in steps]
    assert simulate(network, x).reshape(len(expected), -1).tolist() == expected


def generated() -> list[Any]:
    """All pairs, most of them in the slow tests; in the others each kind comes once or less."""
    seen: set[str] = set()
    found = []
    for k, pair in enumerate(ACCEPTED[::-1]):
        quick = pair[0] not in seen and pair[1] not in seen and k % 3 == 0
        seen |= set(pair[:2]) if quick else set()
        found.append(pytest.param(*pair, marks=[] if quick else [pytest.mark.slow]))
    return found


@pytest.mark.parametrize(("first", "second", "shape", "end"), generated())
def test_what_is_accepted_becomes_verilog(
    first: str, second: str, shape: str, end: str, tmp_path: Path
) -> None:
    network, _ = made(first, second, shape, end)
    verilog = emit(network, tmp_path / "out")[0].read_text()
    assert all(layer.name in verilog for layer in network.layers)


def test_training_without_weights_is_refused() -> None:
    wanted = values("rescale", "argmax", "vector", "scores")
    wanted["layers"][0] = layer("rescale", "start", "input")
    spec = parse_spec(wanted, "pair.yaml")
    message = r"^training needs a layer with weights \(.*linear.*\), but pair has none$"
    with pytest.raises(SpecError, match=message):
        train(spec, data_for(spec))
