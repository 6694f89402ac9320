"""Networks to test with: those that are shipped, and small ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from fxsim.arithmetic.formats import IntFormat
from fxsim.floats.checkpoint import Checkpoint, LinearParameters
from fxsim.network import INPUT, Folding, IntArray, QuantizedLinear, QuantizedNetwork, Tail
from fxsim.network.storage import load_network
from fxsim.quantizer import quantize
from fxsim.shipped import models_folder
from fxsim.spec import parse_spec
from fxsim.spec.specification import NetworkSpec

MODELS = ("digits-mlp-ternary", "digits-mlp-int8")


def shipped(model: str) -> QuantizedNetwork:
    """One of `MODELS`."""
    return load_network(models_folder() / model)


def chain(
    names: Sequence[str],
    *,
    model: str = MODELS[0],
    size: int = 6,
    folding: Folding = Folding(rows=2, simd=3),  # noqa: B008  frozen
) -> QuantizedNetwork:
    """Layers of ``size`` inputs and outputs, one for each name, cut from the first of a model.

    They are signed and shift less, so that few activations are zero or saturated.
    """
    count = len(names)
    return row(names, sizes=[size] * (count + 1), foldings=[folding] * count, model=model)


def row(
    names: Sequence[str],
    *,
    sizes: Sequence[int],
    foldings: Sequence[Folding],
    model: str = MODELS[0],
) -> QuantizedNetwork:
    """Layers, each from one of ``sizes`` to the next, in a folding of its own; see `chain`."""
    network = shipped(model)
    first = network.linears[0]
    tail = tail_of(first)
    layers: list[QuantizedLinear] = []
    for name, (inputs, outputs), folding in zip(names, pairwise(sizes), foldings, strict=True):
        layer = replace(
            first,
            name=name,
            weight=first.weight[:outputs, 20 : 20 + inputs],
            weight_scale=first.weight_scale[:outputs],
            bias=first.bias[:outputs],
            input=layers[-1].output if layers else first.input,
            output=replace(first.output, format=IntFormat(bits=8, signed=True)),
            tail=replace(tail.rows(slice(outputs)), shift=tail.shift - 2, relu=False),
            folding=folding,
        )
        layers.append(layer)
    return QuantizedNetwork(
        name="chain",
        data="none",
        inputs={INPUT: replace(network.input, shape=(sizes[0],))},
        layers=tuple(layers),
    )


def tail_of(product: QuantizedLinear) -> Tail:
    """The tail of a product that has one."""
    assert product.tail is not None, product.name
    return product.tail


def random_inputs(network: QuantizedNetwork, count: int, *, seed: int = 3) -> IntArray:
    """Uniform integers of the input format."""
    fmt, inputs = network.input.activation.format, network.input.tensor.items
    generator = np.random.default_rng(seed)
    return generator.integers(fmt.min, fmt.max, (count, inputs), endpoint=True)


def residual(*, side: int = 6, channels: int = 2) -> QuantizedNetwork:
    """Images: a convolution, two more with a shortcut past them, 4 classes, an argmax.

    The parameters are random. A pixel of any layer takes one cycle.
    """
    layer = {
        "type": "convolution",
        "units": channels,
        "kernel": 3,
        "padding": 1,
        "weights": {"levels": 3, "per": "channel"},
        "nonlinearity": "relu",
        "output": {"bits": 8},
    }
    out = {"nonlinearity": "none", "output": {"bits": 8, "signed": True}}
    hardware, lanes = {"rows": channels, "simd": 9 * channels}, {"rows": 4, "simd": channels}
    spec = parse_spec(
        {
            "name": "residual",
            "data": "none",
            "input": {"shape": [channels, side, side], "bits": 8},
            "layers": [
                layer | {"name": "first"},
                layer | {"name": "second"},
                layer | {"name": "third"} | out,
                {
                    "type": "add",
                    "name": "sum",
                    "shortcut": "first",
                    "output": {"bits": 8, "signed": True},
                    "hardware": {"lanes": channels},
                },
                {"type": "flatten"},
                {"type": "linear", "name": "scores", "units": 4, "hardware": lanes},
                {"type": "argmax", "name": "answer"},
            ],
            "hardware": hardware,
        },
        "residual",
    )
    return _with_random_parameters(spec)


def encoder_decoder(*, side: int = 6, lanes: int = 2) -> QuantizedNetwork:
    """Images that are halved and doubled again, next to what they were (Ronneberger et al. 2015).

    The two have formats and scales of their own. The parameters are random, a pixel takes one cycle
    where ``lanes`` are 2.
    """
    layer = {
        "type": "convolution",
        "units": 2,
        "kernel": 3,
        "padding": 1,
        "weights": {"levels": 7},
    }
    relu = {"nonlinearity": "relu", "output": {"bits": 8}}
    hardware = {"lanes": lanes}
    spec = parse_spec(
        {
            "name": "encoder_decoder",
            "data": "none",
            "input": {"shape": [2, side, side], "bits": 8},
            "layers": [
                layer | relu | {"name": "fine"},
                {"type": "max_pool", "name": "half", "kernel": 2, "hardware": hardware},
                layer | {"name": "coarse", "output": {"bits": 6}},
                {"type": "resize", "name": "double", "factor": 2, "hardware": hardware},
                {
                    "type": "concat",
                    "name": "both",
                    "sources": ["double", "fine"],
                    "output": {"bits": 7},
                    "hardware": hardware,
                },
                layer | relu | {"name": "mixed", "kernel": 1, "padding": 0},
                {
                    "type": "rescale",
                    "name": "short",
                    "output": {"bits": 4, "signed": False},
                    "hardware": hardware,
                },
            ],
            "hardware": {"rows": lanes, "simd": lanes},
        },
        "encoder_decoder",
    )
    return _with_random_parameters(spec)


def _with_random_parameters(spec: NetworkSpec) -> QuantizedNetwork:
    generator = np.random.default_rng(7)
    parent = {
        product.name: LinearParameters(
            weight=generator.normal(size=(product.outputs, product.inputs)),
            bias=generator.normal(size=product.outputs),
        )
        for product in spec.products
    }
    samples = generator.random((20, *spec.input.shape))
    return quantize(spec, Checkpoint(parent=parent), samples)
