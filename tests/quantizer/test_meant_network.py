"""Whole image networks against plain float64 arithmetic from the specification and the floats.

The bound is carried from layer to layer: what a layer makes of the error of its input, what its
weights lack of the float ones, and the step that it rounds to.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from fxsim.errors import FxsimWarning
from fxsim.floats.checkpoint import Checkpoint, LinearParameters
from fxsim.quantizer import quantize
from fxsim.simulator.simulator import simulate_trace
from fxsim.spec import parse_spec
from tests.oracles import meant

IMAGE = (2, 8, 7)
OUTPUT = {"bits": 16}
LAYERS = [
    {"type": "convolution", "units": 4, "kernel": 3, "padding": 1, "nonlinearity": "relu"},
    {"type": "convolution", "units": 4, "kernel": 1, "groups": 2, "batch_norm": True},
    {"type": "add", "shortcut": "layer0", "nonlinearity": "relu", "output": OUTPUT},
    {"type": "max_pool", "kernel": 2},
    {"type": "average_pool", "kernel": 3, "stride": 1},
    {"type": "flatten"},
    {"type": "linear", "units": 6, "nonlinearity": "relu"},
    {"type": "linear", "units": 3},
]
WEIGHTS = {"levels": 32767, "per": "channel"}


def network_of(rounding):
    """Specification, float parameters, and the quantized network with its samples."""
    layers = [
        layer | {"output": OUTPUT, "weights": WEIGHTS, "requantize": {"multiplier_bits": 24}}
        if layer["type"] in {"convolution", "linear"}
        else layer
        for layer in LAYERS
    ]
    source = {"shape": list(IMAGE), "bits": 16, "signed": True}
    top = {"name": "n", "data": "d", "input": source, "layers": layers}
    spec = parse_spec(top | {"rounding": rounding}, "t")
    rng = np.random.default_rng(3)

    def parameters(outputs, inputs, gain=None):
        weight = rng.normal(size=(outputs, inputs)) / np.sqrt(inputs)
        return LinearParameters(weight=weight, bias=rng.normal(size=outputs) / 4, gain=gain)

    parent = {
        "layer0": parameters(4, 9 * 2),
        "layer1": parameters(4, 2, gain=np.array([1.0, -0.5, 1e-6, 2.0])),
        "layer6": parameters(6, 4 * 2),
        "layer7": parameters(3, 6),
    }
    samples = rng.uniform(-1, 1, size=(40, *IMAGE))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FxsimWarning)
        network = quantize(spec, Checkpoint(parent=parent), samples)
    return spec, parent, network, samples


def convolved(parameters, image, kernel, padding, groups):
    """A stored matrix, of columns (row, column, channel), as a textbook convolution."""
    outputs, depth = len(parameters.weight), image.shape[0] // groups
    weight = np.moveaxis(parameters.weight.reshape(outputs, kernel, kernel, depth), 3, 1)
    gains = np.ones(outputs) if parameters.gain is None else parameters.gain
    geometry = {"stride": (1, 1), "padding": (padding,) * 4, "groups": groups}
    sums = meant.convolution(
        gains[:, None, None, None] * weight, parameters.bias, image, **geometry
    )
    return sums.astype(np.float64)


def forward(parent, image):
    """What each layer yields in real numbers, images as (channels, height, width)."""
    first = np.maximum(convolved(parent["layer0"], image, 3, 1, 1), 0)
    second = convolved(parent["layer1"], first, 1, 0, 2)
    added = np.maximum(second + first, 0)
    greatest = meant.max_pool(added, (2, 2), (2, 2), (0, 0, 0, 0)).astype(np.float64)
    mean = meant.average_pool(greatest, (3, 3), (1, 1)).astype(np.float64)
    flat = np.moveaxis(mean, 0, -1).ravel()  # pixel by pixel, the channels of each together
    hidden = np.maximum(parent["layer6"].weight @ flat + parent["layer6"].bias, 0)
    last = parent["layer7"].weight @ hidden + parent["layer7"].bias
    return [first, second, added, greatest, mean, hidden, last]


def errors(parent, network, values):
    """Greatest error of each layer's output: of its input, of its weights, of its rounding."""
    steps = [layer.output.scale for layer in network.layers]
    names = [layer.name for layer in network.layers]
    found, source = {}, network.input.activation.scale
    reach = 1.0
    for name, layer, step, value in zip(names, network.layers, steps, values, strict=True):
        parameters = parent.get(name)
        if parameters is not None:
            gains = np.ones(len(parameters.weight)) if parameters.gain is None else parameters.gain
            real = gains[:, None] * parameters.weight
            (product,) = layer.linears
            scales = np.broadcast_to(product.weight_scale, len(real))
            lost = abs(scales[:, None] * product.weight - real)
            whole = abs(real) @ np.ones(real.shape[1]) * source
            source = float((whole + lost.sum(axis=1) * (reach + source)).max()) + 1.5 * step
        elif layer.name == "layer2":
            source = source + found["layer0"] + 1.5 * step
        elif layer.name == "layer4":
            source = source + step
        found[name] = source
        reach = float(abs(value).max())
    return [found[name] for name in names]


@pytest.mark.parametrize("rounding", ["floor", "to_zero", "ties_away", "ties_pos", "ties_even"])
def test_a_network_of_every_image_layer_is_that_of_its_floats(rounding):
    _, parent, network, samples = network_of(rounding)
    trace = simulate_trace(network, samples[:8])
    for k, image in enumerate(samples[:8]):
        wanted = forward(parent, image)
        bounds = errors(parent, network, wanted)
        for layer, seen, real, bound in zip(
            network.layers, trace.layers, wanted, bounds, strict=True
        ):
            value = real if real.ndim == 1 else np.moveaxis(real, 0, -1).ravel()
            # What calibration clips at the ends of a format is not of this test.
            fmt, scale = layer.output.format, layer.output.scale
            value = np.clip(value, fmt.min * scale, fmt.max * scale)
            found = scale * (seen.activations[k] - layer.output.zero_point)
            assert abs(found - value).max() <= bound, layer.name
            assert bound < 0.05 * max(abs(value).max(), 0.1), (layer.name, bound)
