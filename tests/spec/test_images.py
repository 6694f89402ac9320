"""Specifications of networks that work on images: shapes, and every refusal with its reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from fxsim.data import Dataset, Split
from fxsim.errors import SpecError
from fxsim.explorer.evaluate import Evaluator
from fxsim.explorer.job import make_job
from fxsim.explorer.metrics import layer_energy
from fxsim.explorer.space import parse_space
from fxsim.floats.checkpoint import Checkpoint, LinearParameters, load_checkpoint, save_checkpoint
from fxsim.floats.forward import forward
from fxsim.network import MaxPool, QuantizedConvolution, QuantizedLinear
from fxsim.network.storage import network_hash
from fxsim.quantizer.quantizer import quantize, quantized_parameters
from fxsim.reference import run
from fxsim.simulator.evaluate import bits_per_character
from fxsim.simulator.simulator import simulate, simulate_trace
from fxsim.spec import parse_spec
from fxsim.training import train
from fxsim.training.module import Network
from fxsim.training.parameters import product_parameters
from tests.messages import raises
from tests.spec.specs import refused

SPEC = {
    "name": "net",
    "data": "none",
    "input": {"shape": [2, 8, 6]},
    "layers": [
        {
            "type": "convolution",
            "units": 4,
            "kernel": 3,
            "padding": 1,
            "weights": {"levels": 7, "per": "channel"},
            "batch_norm": True,
            "nonlinearity": "relu",
            "output": {"bits": 8},
        },
        {"type": "max_pool", "kernel": 2},
        {
            "type": "convolution",
            "units": 8,
            "kernel": 2,
            "groups": 4,
            "nonlinearity": "relu",
            "output": {"bits": 8},
            "hardware": {"rows": 2, "simd": 4},
        },
        {"type": "average_pool"},
        {"type": "flatten"},
        {"type": "linear", "units": 3},
    ],
    "train": {"epochs": 2, "batch": 8},
    "retrain": {"epochs": 1},
}


def test_shapes():
    spec = parse_spec(SPEC, "x.yaml")
    shapes = list(spec.shapes.values())
    assert shapes == [(2, 8, 6), (4, 8, 6), (4, 4, 3), (8, 3, 2), (8, 1, 1), (8,), (3,)]
    assert [(p.name, p.outputs, p.inputs) for p in spec.products] == [
        ("layer0", 4, 18),
        ("layer2", 8, 4),
        ("layer5", 3, 8),
    ]


SIMD = "(part of a pixel, pixels of a row of the window, or the window)"
PLAIN_SHIFT = "a plain shift (multiplier_bits: 0)"
ERRORS = [
    (
        "input.shape",
        [8, 6],
        "shape must have 1 item (a vector) or 3 (an image), not 2",
        "input.shape",
    ),
    (
        "input.shape",
        [96],
        "convolution needs an image, but 'input' is a vector of 96",
        "layers[0].type",
    ),
    (
        "layers.4",
        {"type": "linear", "units": 3, "output": {"bits": 8}},
        "linear needs a vector, but 'layer3' is an image; flatten it first",
        "layers[4].type",
    ),
    (
        "layers.0.kernel",
        20,
        "kernel must be at most 10, the padded height, not 20",
        "layers[0].kernel",
    ),
    (
        "layers.0.padding",
        {"bottom": 3},
        "padding must be less than the kernel, 3, not 3 (bottom)",
        "layers[0].padding",
    ),
    ("layers.0.groups", 3, "groups must be an integer from 1 to 2, not 3", "layers[0].groups"),
    ("layers.2.units", 6, "groups must divide 6 units, not 4", "layers[2].groups"),
    (
        "layers.1.hardware",
        {"lanes": 3},
        "lanes must divide 4 channels, not 3",
        "layers[1].hardware.lanes",
    ),
    (
        "layers.0.hardware",
        {"simd": 4},
        f"simd must be one of [1, 2, 6, 18] {SIMD}, not 4",
        "layers[0].hardware.simd",
    ),
    (
        "layers.3.stride",
        2,
        "stride must be left out without a kernel, not 2: the window is the image",
        "layers[3].stride",
    ),
    (
        "layers",
        [{"type": "convolution", "units": 4, "kernel": 3, "requantize": {"multiplier_bits": 8}}],
        "multiplier_bits must be left out without an output, not 8",
        "layers[0].requantize.multiplier_bits",
    ),
    (
        "layers.3.hardware",
        {"simd": 3},
        f"simd must be one of [1, 2, 6] {SIMD}, not 3",
        "layers[3].hardware.simd",
    ),
    (
        "layers.2.hardware.rows",
        4,
        "rows must divide 2 units of a group, not 4",
        "layers[2].hardware.rows",
    ),
    (
        "layers.2.hardware.pad",
        True,
        "pad must be false: images have no idle lanes",
        "layers[2].hardware.pad",
    ),
    (
        "layers.0.output",
        ...,
        "output is missing: 'layer1' takes no raw accumulators",
        "layers[0].output",
    ),
    (
        "layers.0.requantize",
        {"multiplier_bits": 0},
        f"per must be 'tensor' with {PLAIN_SHIFT}: all channels share one scale ratio",
        "layers[0].weights.per",
    ),
    (
        "layers.0",
        SPEC["layers"][0] | {"weights": {"levels": 3}, "requantize": {"multiplier_bits": 0}},
        f"batch_norm must be false with {PLAIN_SHIFT}: each channel has its own scale",
        "layers[0].batch_norm",
    ),
    ("layers.0.weights.levels", 4, "levels must be odd, not 4", "layers[0].weights.levels"),
    (
        "layers.0.weights",
        {"levels": 4, "scheme": "asymmetric"},
        "scheme must not be 'asymmetric' with batch_norm, whose gain may turn signs of weights",
        "layers[0].weights.scheme",
    ),
    ("layers.0.kernl", 4, "unknown key 'kernl'; did you mean 'kernel'?", "layers[0].kernl"),
    (
        "layers.3.padding",
        1,
        "unknown key 'padding'; known keys: type, name, sources, kernel, stride, hardware",
        "layers[3].padding",
    ),
]


@pytest.mark.parametrize(("path", "value", "message", "where"), ERRORS)
def test_errors(path, value, message, where):
    refused(SPEC, path, value, message, where)


def test_nothing_but_flatten():
    value = SPEC | {"layers": [{"type": "flatten"}]}
    message = "'layer0' must do more than flatten 'input' to be an output (x.yaml: layers)"
    with raises(SpecError, message):
        parse_spec(value, "x.yaml")


@pytest.fixture(scope="module")
def trained():
    spec = parse_spec(SPEC, "x.yaml")
    generator = np.random.default_rng(1)
    y = generator.integers(0, 3, 60)
    x = generator.random((60, 2, 8, 6)) + 0.3 * y[:, None, None, None]
    data = Dataset("none", Split(x, y), Split(x, y), 3)
    return spec, train(spec, data), data


def test_float_forward_is_that_of_torch(trained):
    """The folded batch normalisation does what torch does in evaluation."""
    spec, _, data = trained
    torch.manual_seed(3)
    network = Network(spec)
    convolution = network.layers[0]
    with torch.no_grad():
        convolution.norm.weight.uniform_(-2, 2)
        convolution.norm.bias.uniform_(-2, 2)
        convolution.norm.running_mean.uniform_(-1, 1)
        convolution.norm.running_var.uniform_(0.1, 2)
    parameters = {
        product.name: product_parameters(linear)
        for product, linear in zip(spec.products, network.linears(), strict=True)
    }
    network.eval()
    with torch.no_grad():
        expected = network(torch.from_numpy(data.test.x.astype(np.float32))).numpy()
    np.testing.assert_allclose(forward(spec, parameters, data.test.x), expected, atol=1e-4)


def test_trained_network_is_quantized_and_simulated(trained, tmp_path):
    spec, checkpoint, data = trained
    save_checkpoint(checkpoint, tmp_path / "checkpoint.npz")
    loaded = load_checkpoint(tmp_path / "checkpoint.npz", spec)
    assert set(loaded.arrays()) == set(checkpoint.arrays())
    assert "retrained.layer0.gain" in loaded.arrays()
    network = quantize(spec, loaded, data.train.x)
    kinds = [QuantizedConvolution, MaxPool, QuantizedConvolution, QuantizedConvolution]
    assert [type(layer) for layer in network.layers] == [*kinds, QuantizedLinear]
    real = network.output.scale * simulate(network, data.test.x)
    expected = forward(spec, quantized_parameters(spec, loaded), data.test.x)
    # Weights are the same; only activations are rounded to 8 bits.
    assert np.abs(real - expected).max() < 0.1 * np.abs(expected).max()
    assert np.corrcoef(real.ravel(), expected.ravel())[0, 1] > 0.999


def test_average_rounds_once(trained):
    """The mean of n integers, rounded by the mode of the network: ties away from zero."""
    spec, checkpoint, data = trained
    network = quantize(spec, checkpoint, data.train.x)
    trace = simulate_trace(network, data.test.x[:5])
    before, after = trace.layers[2].activations, trace.layers[3].activations
    sums = before.reshape(5, 6, 8).sum(axis=1)
    np.testing.assert_array_equal(after, np.floor(sums / 6 + 0.5))
    first = [int(value) for value in trace.input[0]]
    assert run(network, first)[3].activations == after[0].tolist()


def test_negative_gain_turns_weights(trained):
    spec, checkpoint, data = trained
    layer = checkpoint.retrained["layer0"]
    turned = replace(layer, weight=-layer.weight, gain=-layer.gain)
    other = replace(checkpoint, retrained={**checkpoint.retrained, "layer0": turned})
    networks = [quantize(spec, found, data.train.x) for found in (checkpoint, other)]
    np.testing.assert_array_equal(*(network.layers[0].product.weight for network in networks))
    dead = replace(layer, gain=np.where(np.arange(4) == 1, 0.0, layer.gain))
    other = replace(checkpoint, retrained={**checkpoint.retrained, "layer0": dead})
    assert not quantize(spec, other, data.train.x).layers[0].product.weight[1].any()


def test_asymmetric_weights():
    """Their range is not about 0, and pixels outside the image are real 0 all the same."""
    layers = [{"type": "convolution", "units": 4, "kernel": 3, "padding": 1, "output": {}}]
    layers[0]["weights"] = {"levels": 16, "per": "channel", "scheme": "asymmetric"}
    spec = parse_spec(SPEC | {"layers": layers}, "x.yaml")
    generator = np.random.default_rng(2)
    parent = LinearParameters(weight=generator.normal(0.2, 1, (4, 18)), bias=np.full(4, 20.0))
    checkpoint, x = Checkpoint(parent={"layer0": parent}), generator.random((20, 2, 8, 6))
    network = quantize(spec, checkpoint, x)
    weight = network.layers[0].product.weight
    np.testing.assert_array_equal(np.ptp(weight, axis=1), 15)
    trace = simulate_trace(network, x)
    np.testing.assert_array_equal(simulate(network, x), trace.output)
    for image, seen in zip(trace.input[:2].tolist(), trace.output.tolist(), strict=False):
        assert run(network, image)[-1].activations == seen
    real = network.output.scale * trace.output
    expected = forward(spec, quantized_parameters(spec, checkpoint), x)
    assert np.abs(real - expected).max() < 0.02 * np.abs(expected).max()


def test_interrupted_training_goes_on_to_the_same_result(trained, tmp_path):
    """With the running statistics of the batch normalisation, and the gains of the parent."""
    spec, whole, data = trained
    seen = []

    def interrupt(progress):
        seen.append(progress)
        if len(seen) in (1, 2):
            raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            train(spec, data, interrupt, resume=tmp_path / "run.resume")
    arrays = train(spec, data, resume=tmp_path / "run.resume").arrays()
    assert arrays.keys() == whole.arrays().keys()
    for key, expected in whole.arrays().items():
        np.testing.assert_array_equal(arrays[key], expected)


def test_a_network_with_batch_norm_goes_on_from_a_checkpoint(trained):
    spec, checkpoint, data = trained
    rest = spec.model_copy(update={"train": spec.train.model_copy(update={"epochs": 0})})
    again = train(rest, data, start=checkpoint.parent)
    for name, before in checkpoint.parent.items():
        after = again.parent[name]
        np.testing.assert_array_equal(after.weight, before.weight)
        np.testing.assert_allclose(after.bias, before.bias, rtol=1e-4, atol=1e-5)
        if before.gain is not None:
            np.testing.assert_allclose(after.gain, before.gain, rtol=1e-5)


def test_exploration_meets_every_layer(trained):
    """Layers behind the flatten are the network's, whose numbers differ from the file's."""
    spec, checkpoint, data = trained
    space = {
        "variables": {
            "lanes": {"set": ["layers[1].hardware.lanes"], "to": [1, 2]},
            "bits": {"set": ["layers[2].output.bits"], "to": [2, 8]},
            "last": {"set": ["layers[5].weights.levels"], "to": [3, 255]},
        },
        "objectives": ["loss", "energy"],
    }
    chosen_on = replace(data, validation=data.test)
    job = make_job(parse_space(spec, space, "x.yaml"), checkpoint, chosen_on)
    evaluator, losses = Evaluator(job), set()
    for choices in job.space:
        fresh = quantize(job.space.apply(choices), checkpoint, job.calibration, direct=True)
        assert network_hash(evaluator.network(choices)) == network_hash(fresh)
        found = evaluator(choices)
        assert found["loss"] == bits_per_character(fresh, job.validation)
        losses.add(found["loss"])
        products = zip(fresh.linears, (48, 6, 1, 1), strict=True)
        energy = sum(places * layer_energy(product) for product, places in products)
        assert found["energy"] == pytest.approx(energy)
    assert len(losses) == 4  # the lanes change nothing
