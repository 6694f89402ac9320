"""Forward pass of graphs against the definition of each layer, evaluated from the outputs back."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given

from fxsim.errors import RangeError, SpecError
from fxsim.floats.forward import forward, forward_outputs, layer_outputs
from tests.graph_specs import OUT, case, graph_specs
from tests.messages import raises
from tests.strategies import unhurried


def meant(value, parameters, known, name):
    """What ``name`` yields for one sample, or one sequence: images (..., channels, rows, columns).

    Read from the plain values of a specification, from ``name`` back to what is ``known``: the
    inputs, and then whatever was asked for once.
    """
    if name in known:
        return known[name]
    (index,) = (i for i, layer in enumerate(value["layers"]) if layer["name"] == name)
    layer = value["layers"][index]
    before = value["layers"][index - 1]["name"] if index else "input"
    sources = layer.get("sources") or [before, *filter(None, [layer.get("shortcut")])]
    operands = [meant(value, parameters, known, source) for source in sources]
    y = COMPUTE[layer["type"]](layer, parameters, *operands)
    low, high = LIMITS[layer.get("nonlinearity", "none")]
    known[name] = np.minimum(np.maximum(y, low), high)
    return known[name]


def _linear(layer, parameters, x):
    own = parameters[layer["name"]]
    gain = 1 if own.gain is None else own.gain
    return np.einsum("oi,...i->...o", own.weight, x) * gain + own.bias


def _windows(x, kernel, stride, padding, outside):
    """Every window of the last two axes: (..., channels, rows, columns, kernel, kernel)."""
    edge = [(0, 0)] * (x.ndim - 2) + [(padding, padding)] * 2
    framed = np.pad(x, edge, constant_values=outside)
    seen = np.lib.stride_tricks.sliding_window_view(framed, (kernel, kernel), axis=(-2, -1))
    return seen[..., ::stride, ::stride, :, :]


def _convolution(layer, parameters, x):
    own, kernel = parameters[layer["name"]], layer["kernel"]
    weight = own.weight.reshape(layer["units"], kernel, kernel, -1)
    seen = _windows(x, kernel, 1, layer["padding"], 0.0)
    sums = np.einsum("oyxc,...crsyx->...ors", weight, seen)
    gain = np.ones(layer["units"]) if own.gain is None else own.gain
    return sums * gain[:, None, None] + own.bias[:, None, None]


def _max_pool(layer, parameters, x):
    seen = _windows(x, layer["kernel"], layer["stride"], layer["padding"], -np.inf)
    return seen.max(axis=(-2, -1))


def _lstm(layer, parameters, x):
    name, cells = layer["name"], layer["cells"]
    W, U = parameters[f"{name}_input"], parameters[f"{name}_hidden"]
    h, c, outputs = np.zeros(cells), np.zeros(cells), []
    for vector in x:
        i, f, o, g = np.split(W.weight @ vector + W.bias + U.weight @ h + U.bias, 4)
        i, f, o = (1 / (1 + np.exp(-gate)) for gate in (i, f, o))
        c = f * c + i * np.tanh(g)
        h = o * np.tanh(c)
        outputs.append(h)
    return np.array(outputs)


LIMITS = {"none": (-np.inf, np.inf), "relu": (0, np.inf), "relu6": (0, 6)}
COMPUTE = {
    "linear": _linear,
    "convolution": _convolution,
    "lstm": _lstm,
    "max_pool": _max_pool,
    "average_pool": lambda layer, parameters, x: x.mean(axis=(-2, -1), keepdims=True),
    "flatten": lambda layer, parameters, x: vectors(x, 3),
    "add": lambda layer, parameters, *operands: sum(operands),
    "argmax": lambda layer, parameters, x: x,
    "rescale": lambda layer, parameters, x: x,
    "concat": lambda layer, parameters, *operands: np.concatenate(
        operands, axis=-3 if operands[0].ndim > 2 else -1
    ),
    "resize": lambda layer, parameters, x: x.repeat(2, axis=-2),
}


def vectors(x, axes):
    """Images as vectors, pixel by pixel; vectors as they are."""
    return np.moveaxis(x, -3, -1).reshape(*x.shape[:-3], -1) if axes == 3 else x


def check(value, spec, parameters, samples):
    found = forward_outputs(spec, parameters, samples)
    assert list(found) == list(spec.outputs)
    for name, values in found.items():
        for k, one in enumerate(values):
            own = {source: array[k] for source, array in samples.items()}
            expected = vectors(meant(value, parameters, own, name), len(spec.shapes[name]))
            np.testing.assert_allclose(one, expected, rtol=1e-9, atol=1e-9)
    return found


@unhurried
@given(graph_specs())
def test_random_graphs(value):
    spec, parameters, samples = case(value, count=3)
    found = check(value, spec, parameters, samples)
    every = layer_outputs(spec, parameters, samples)
    assert list(every) == list(spec.graph.layers)
    for name, values in found.items():
        np.testing.assert_array_equal(every[name], values)


def block(name, **keys):
    return {"type": "linear", "name": name, "units": 4} | OUT | keys


def test_two_branches_of_three():
    """An add of a short branch, a long one, and where both start."""
    layers = [
        block("stem"),
        block("short"),
        block("long", sources=["stem"]),
        block("longer"),
        {"type": "add", "name": "sum", "sources": ["short", "longer", "stem"]} | OUT,
    ]
    value = {"name": "n", "data": "d", "input": {"shape": [3]}, "layers": layers}
    spec, parameters, samples = case(value)
    stem, short, long, longer = (
        lambda x, own=parameters[name]: x @ own.weight.T + own.bias
        for name in ("stem", "short", "long", "longer")
    )
    x = stem(samples["input"])
    expected = short(x) + longer(long(x)) + x
    np.testing.assert_allclose(forward(spec, parameters, samples["input"]), expected)


def test_pixels_of_sequences_of_images():
    """Frames go through layers of images one by one, and the LSTM sees them in their order."""
    layers = [
        {"type": "convolution", "name": "c", "units": 2, "kernel": 3, "padding": 1} | OUT,
        {"type": "max_pool", "name": "p", "kernel": 3, "stride": 1, "padding": 1},
        {"type": "add", "name": "a", "shortcut": "c"} | OUT,
        {"type": "flatten", "name": "f"},
        {"type": "lstm", "name": "l", "cells": 3},
        {"type": "linear", "name": "skip", "units": 3, "sources": ["f"]} | OUT,
        {"type": "add", "name": "sum", "sources": ["l", "skip"]} | OUT,
    ]
    value = {"name": "n", "data": "d", "input": {"shape": [2, 4, 3]}, "layers": layers}
    spec, parameters, samples = case(value, count=40, steps=5)
    (found,) = check(value, spec, parameters, samples).values()
    assert found.shape == (40, 5, 3)
    turned = forward(spec, parameters, samples["input"][:, ::-1])
    assert not np.allclose(turned[:, ::-1], found)


def test_an_output_may_be_taken_too():
    layers = [block("a"), block("b"), {"type": "argmax", "name": "c"}]
    value = {"name": "n", "data": "d", "input": {"shape": [3]}, "layers": layers}
    spec, parameters, samples = case(value | {"outputs": ["c", "a"]})
    found = check(value, spec, parameters, samples)
    assert list(found) == ["c", "a"]


TWO = {
    "name": "n",
    "data": "d",
    "inputs": {"a": {"shape": [3]}, "b": {"shape": [2, 2, 2]}},
    "layers": [
        block("x", sources=["a"]),
        {"type": "flatten", "name": "y", "sources": ["b"]},
        block("z"),
        {"type": "add", "name": "sum", "shortcut": "x"} | OUT,
    ],
}


def test_samples_by_name():
    spec, parameters, samples = case(TWO)
    check(TWO, spec, parameters, samples)
    for x, message in (
        (samples["a"], "x must be a mapping of a, b, not one array"),
        ({"a": samples["a"]}, "x must be given for a, b, not for a"),
        (samples | {"c": samples["a"]}, "x must be given for a, b, not for a, b, c"),
        (
            samples | {"b": samples["b"][:, :1]},
            "x of 'b' must have shape (n, 2, 2, 2), not (6, 1, 2, 2)",
        ),
        (samples | {"b": samples["b"][:4]}, "x of 'b' must be as many as of 'a', (6,), not (4,)"),
    ):
        with raises(RangeError, message):
            forward(spec, parameters, x)


def test_one_output_is_asked_for():
    spec, parameters, samples = case(TWO | {"outputs": ["x", "sum"]})
    with raises(SpecError, "n must have one output, not 2 (x, sum)"):
        forward(spec, parameters, samples)
    assert list(forward_outputs(spec, parameters, samples)) == ["x", "sum"]


@pytest.mark.parametrize("depth", [4, 40])
def test_tensors_go_after_their_last_consumer(depth):
    """Memory does not grow with the depth."""
    layers = [block(f"n{i}", units=64) for i in range(depth)]
    value = {"name": "n", "data": "d", "input": {"shape": [64]}, "layers": layers}
    spec, parameters, samples = case(value, count=2000)
    tracemalloc.start()
    forward(spec, parameters, samples["input"])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 * samples["input"].nbytes
