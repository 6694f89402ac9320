"""Specifications of two fully connected layers, with random parameters and samples."""

import numpy as np

from fxsim import reference
from fxsim.floats.checkpoint import Checkpoint, LinearParameters, RetrainedParameters
from fxsim.quantizer import quantize_input
from fxsim.spec import parse_spec


def make_spec(first=None, last=None, **top):
    layers = [
        {"type": "linear", "units": 12, "nonlinearity": "relu", "output": {}} | (first or {}),
        {"type": "linear", "units": 5} | (last or {}),
    ]
    return parse_spec(
        {"name": "n", "data": "d", "input": {"shape": [8]}, "layers": layers} | top, "t"
    )


def make_checkpoint(spec, seed=0, retrained=False):
    rng = np.random.default_rng(seed)
    parent, trained = {}, {}
    for i, layer in enumerate(spec.layers):
        weight = rng.normal(size=(layer.units, spec.layer_inputs(i))) * 0.3
        bias = rng.normal(size=layer.units) * 0.1
        name = spec.layer_name(i)
        parent[name] = LinearParameters(weight=weight, bias=bias)
        groups = layer.units if layer.weights.per == "channel" else 1
        trained[name] = RetrainedParameters(
            weight=weight + 0.05,
            bias=-bias,
            scale=np.full(groups, 0.2),
            levels=layer.weights.levels,
        )
    return Checkpoint(parent=parent, retrained=trained if retrained else None)


def samples(spec, n=60, seed=1):
    x = np.random.default_rng(seed).normal(size=(n, *spec.input.shape))
    return x if spec.input.signed else np.abs(x)


def run(network, x):
    rows = quantize_input(network.input, x).tolist()
    return np.array([reference.run(network, row)[-1].activations for row in rows])
