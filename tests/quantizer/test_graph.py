"""Graphs to integers: the float network within rounding, edges by name, layers that are kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from fxsim import reference
from fxsim.errors import PrecisionWarning, RangeError, SpecError
from fxsim.floats.checkpoint import Checkpoint
from fxsim.floats.forward import forward_outputs
from fxsim.network import QuantizedAdd
from fxsim.network.storage import load_network, network_hash, save_network
from fxsim.quantizer.quantizer import quantize, quantized_parameters
from fxsim.quantizer.remarks import quiet
from fxsim.simulator.simulator import simulate_outputs, simulate_trace
from fxsim.spec import parse_spec
from tests.graph_specs import OUT, case, graph_specs
from tests.messages import raises
from tests.strategies import unhurried


def real(network, name, values):
    """Real values of what a layer yields."""
    output = network[name].output
    return output.scale * (values - output.zero_point).astype(np.float64)


@settings(unhurried, max_examples=40)
@given(graph_specs(max_layers=12))
def test_random_graphs(value):
    spec, parameters, samples = case(value, count=12)
    checkpoint = Checkpoint(parent=parameters)
    with quiet():
        network = quantize(spec, checkpoint, samples, depths=False)
    wanted = [spec.layer_name(i) for i, layer in enumerate(spec.layers) if layer.in_hardware]
    assert [layer.name for layer in network.layers if layer.name in wanted] == wanted
    for name in wanted:  # others bring what a concat takes to one scale
        sources = spec.layer_sources(spec.layer_index(name))
        taken = [
            source if source in spec.shapes else network.taken[source][0]
            for source in network.taken[name]
        ]
        assert taken == list(map(spec.in_network, sources))
    assert network.leaving == tuple(map(spec.in_network, spec.outputs))
    found = simulate_outputs(network, samples)
    expected = forward_outputs(spec, quantized_parameters(spec, checkpoint), samples)
    for name, signal in expected.items():
        values = real(network, name, found[name]).reshape(signal.shape)
        assert np.abs(values - signal).max() <= 0.05 * max(np.abs(signal).max(), 1.0)
    trace = simulate_trace(network, samples)
    for k in range(2):
        vectors = {name: tensor[k] for name, tensor in trace.inputs.items()}
        if spec.recurrent:
            steps = [
                {name: tensor[t].tolist() for name, tensor in vectors.items()} for t in range(3)
            ]
        else:
            steps = [{name: tensor.tolist() for name, tensor in vectors.items()}]
        for t, results in enumerate(reference.run_sequence(network, steps)):
            for layer, seen in zip(trace.layers, results, strict=True):
                own = layer.activations[k, t] if spec.recurrent else layer.activations[k]
                assert own.tolist() == list(seen.activations)


def linear(name, *sources, units=4, **keys):
    layer = {"type": "linear", "name": name, "units": units} | OUT | keys
    return layer | ({"sources": list(sources)} if sources else {})


def network_of(layers, *, outputs=None, **keys):
    value = {"name": "n", "data": "d", "layers": layers} | keys
    if "inputs" not in keys:
        value.setdefault("input", {"shape": [4], "signed": True})
    return value | ({"outputs": outputs} if outputs else {})


def test_an_add_of_three_scales():
    layers = [
        linear("a"),
        linear("b", "input"),
        linear("c", "input"),
        {"type": "add", "name": "sum", "sources": ["c", "a", "b"]} | OUT,
    ]
    spec, parameters, samples = case(network_of(layers), count=50)
    network = quantize(spec, Checkpoint(parent=parameters), samples["input"])
    add = network["sum"]
    assert type(add) is QuantizedAdd
    assert network.taken["sum"] == ("c", "a", "b")
    assert add.summands == tuple(network[name].output for name in ("c", "a", "b"))
    exact = [a.scale / add.output.scale * 2.0**add.tail.shift for a in add.summands]
    np.testing.assert_array_less(np.abs(add.multipliers - np.array(exact)), 0.5 + 1e-9)
    assert max(add.multipliers).bit_length() == 16  # as precise as they can be
    trace = simulate_trace(network, samples["input"])
    a, b, c, total = (
        real(network, layer.name, found.activations)
        for layer, found in zip(network.layers, trace.layers, strict=True)
    )
    np.testing.assert_allclose(total, a + b + c, atol=0.51 * add.output.scale)


def test_a_coarse_operand_is_named():
    """Of 12 bits next to one of 4, whose scale is 256 times as great."""
    few = {"output": {"bits": 4, "signed": True}}
    layers = [linear("a"), linear("b", "input") | few, {"type": "add", "name": "c"} | OUT]
    layers[2]["shortcut"] = "a"
    spec, parameters, samples = case(network_of(layers), count=50)
    message = (
        r"^c: multiplier_bits must be about \d+ for operand 1, whose scale is far below that of"
        r" operand 0, not 16: its values can be off by [0-9.]+ steps$"
    )
    with pytest.warns(PrecisionWarning, match=message):
        quantize(spec, Checkpoint(parent=parameters), samples["input"])


def test_the_network_is_stored(tmp_path):
    """With sources, several inputs and outputs."""
    layers = [
        linear("x", "a"),
        {"type": "flatten", "name": "flat", "sources": ["b"]},
        linear("y"),
        {"type": "add", "name": "sum", "shortcut": "x"} | OUT,
        {"type": "argmax", "name": "answer"},
    ]
    inputs = {"a": {"shape": [4], "signed": True}, "b": {"shape": [2, 2, 3], "signed": True}}
    value = network_of(layers, inputs=inputs, outputs=["x", "answer"])
    spec, parameters, samples = case(value)
    network = quantize(spec, Checkpoint(parent=parameters), samples, depths=False)
    assert network.taken == {"x": ("a",), "y": ("b",), "sum": ("y", "x"), "answer": ("sum",)}
    assert network.leaving == ("x", "answer")
    save_network(network, tmp_path)
    assert network_hash(load_network(tmp_path)) == network_hash(network)


def test_sequences_of_images():
    layers = [
        {"type": "convolution", "name": "c", "units": 3, "kernel": 3, "batch_norm": True} | OUT,
        {"type": "average_pool", "name": "p", "kernel": 2},
        {"type": "flatten", "name": "f"},
        {"type": "lstm", "name": "cells", "cells": 4, "output": {"bits": 12}},
        linear("skip", "f"),
        {"type": "add", "name": "sum", "shortcut": "cells"} | OUT,
        linear("scores", units=3),
    ]
    value = network_of(layers, input={"shape": [2, 6, 6], "bits": 12, "signed": True})
    spec, parameters, samples = case(value, count=8, steps=5)
    x = samples["input"]
    network = quantize(spec, Checkpoint(parent=parameters), x)
    assert network.taken["cells"] == network.taken["skip"] == ("p",)
    found = simulate_outputs(network, x)["scores"]
    assert found.shape == (8, 5, 3)
    expected = forward_outputs(spec, parameters, x)["scores"]
    assert np.abs(real(network, "scores", found) - expected).max() < 0.05


def test_few_images_calibrate_a_sequence():
    """At most 200 images, whatever the length of the sequences."""
    layers = [
        {"type": "flatten", "name": "f"},
        {"type": "lstm", "name": "cells", "cells": 2, "projection": {"units": 2}},
    ]
    value = network_of(layers, input={"shape": [1, 2, 2], "signed": True})
    spec, parameters, samples = case(value, count=100, steps=10)
    x = samples["input"]
    networks = [quantize(spec, Checkpoint(parent=parameters), part) for part in (x, x[::5])]
    assert network_hash(networks[0]) == network_hash(networks[1])
    other = quantize(spec, Checkpoint(parent=parameters), x[1::5])
    assert network_hash(other) != network_hash(networks[0])


class Notes(dict):
    """A memory that notes what it made."""

    def __init__(self):
        super().__init__()
        self.made = []

    def __call__(self, key, make):
        if key not in self:
            self[key] = make()
            self.made.append(key)
        return self[key]

    def layers(self):
        """Names of the layers that were quantized since the last question."""
        names = [key[1][2][-1][0] for key in self.made if key[0] == "layer"]
        self.made.clear()
        return names


@pytest.mark.filterwarnings("ignore::fxsim.errors.PrecisionWarning")
def test_a_change_in_one_branch_leaves_the_other():
    """Layers are kept by what they depend on; what comes before them in the file may change."""
    layers = [
        linear("stem"),
        linear("left"),
        linear("more"),
        linear("right", "stem"),
        {"type": "add", "name": "sum", "sources": ["more", "right"]} | OUT,
        linear("scores"),
    ]
    spec, parameters, samples = case(network_of(layers), count=50)
    checkpoint, memory = Checkpoint(parent=parameters), Notes()
    quantize(spec, checkpoint, samples["input"], remember=memory)
    assert memory.layers() == ["stem", "left", "more", "right", "sum", "scores"]
    for changed, again in (
        ("left", ["left", "more", "sum", "scores"]),
        ("right", ["right", "sum", "scores"]),
        ("scores", ["scores"]),
        ("stem", ["stem", "left", "more", "right", "sum", "scores"]),
    ):
        wanted = [
            layer | {"output": {"bits": 6, "signed": True}} if layer["name"] == changed else layer
            for layer in layers
        ]
        other = parse_spec(network_of(wanted), "x.yaml")
        found = quantize(other, checkpoint, samples["input"], remember=memory)
        assert memory.layers() == again
        fresh = quantize(other, checkpoint, samples["input"])
        assert network_hash(found) == network_hash(fresh)
    shorter = [layer for layer in layers if layer["name"] not in {"left", "more"}]
    shorter[2] = shorter[2] | {"sources": ["right", "stem"]}
    rest = {name: parameters[name] for name in ("stem", "right", "scores")}
    value = parse_spec(network_of(shorter), "x.yaml")
    quantize(value, Checkpoint(parent=rest), samples["input"], remember=memory)
    assert memory.layers() == ["sum", "scores"]


TWO = {"a": {"shape": [4]}, "b": {"shape": [4], "signed": True}}
BOTH = [linear("x", "a"), linear("y", "b"), {"type": "add", "name": "sum", "shortcut": "x"} | OUT]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            lambda s: s["a"],
            RangeError,
            "calibration must be a mapping of a, b, not one array",
        ),
        (
            lambda s: s | {"b": s["b"][:, :2]},
            RangeError,
            "calibration of 'b' must have shape (n, 4), not (6, 2)",
        ),
        (
            lambda s: s | {"b": s["b"][:2]},
            RangeError,
            "calibration of 'b' must be as many as of 'a', (6,), not (2,)",
        ),
        (
            lambda s: s | {"b": s["b"] * np.nan},
            RangeError,
            "calibration of 'b' must be finite, not nan at [0, 0]",
        ),
        (
            lambda s: s | {"a": np.full((6, 4), -3.0)},
            SpecError,
            "a must be signed: calibration has values down to -3",
        ),
    ],
)
def test_samples_of_each_input(change, error, message):
    spec, parameters, samples = case(network_of(BOTH, inputs=TWO))
    samples = {name: np.abs(array) for name, array in samples.items()}
    network = quantize(spec, Checkpoint(parent=parameters), samples)
    assert [source.activation.format.signed for source in network.inputs.values()] == [False, True]
    with raises(error, message):
        quantize(spec, Checkpoint(parent=parameters), change(samples))
