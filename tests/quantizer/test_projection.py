"""LSTM layers with a recurrent projection, from the specification to integers."""

import numpy as np
import pytest
import torch

from fxsim import reference
from fxsim.errors import FileError, SpecError
from fxsim.floats.checkpoint import load_checkpoint, save_checkpoint
from fxsim.floats.forward import forward, lstm, lstm_cells
from fxsim.network.storage import load_network, network_hash, save_network
from fxsim.quantizer.quantizer import quantize, quantize_input, quantized_parameters, uses_retrained
from fxsim.simulator.simulator import simulate, simulate_trace
from fxsim.training.module import Network
from tests.quantizer.test_lstm import make_checkpoint, make_spec, samples


def projected(projection=None, **layer):
    return make_spec({"projection": {"units": 3} | (projection or {})} | layer)


def made(projection=None, **layer):
    spec = projected(projection, **layer)
    checkpoint = make_checkpoint(spec)
    return spec, checkpoint, quantize(spec, checkpoint, samples())


def test_the_float_layer_worked_step_by_step():
    spec = projected()
    parameters = make_checkpoint(spec).parent
    w, u, p = (parameters[f"layer0_{which}"] for which in ("input", "hidden", "projection"))
    x = samples(2, 7)
    outputs, cells = lstm(w, u, x, p), lstm_cells(w, u, x, p)
    assert (outputs.shape, cells.shape) == ((2, 7, 3), (2, 7, 6))
    hidden, cell = np.zeros(3), np.zeros(6)
    for t, vector in enumerate(x[1]):
        z = (w.weight @ vector + u.weight @ hidden + w.bias + u.bias).reshape(4, 6)
        i, f, o = 1 / (1 + np.exp(-z[:3]))
        cell = f * cell + i * np.tanh(z[3])
        np.testing.assert_allclose(cells[1, t], o * np.tanh(cell), atol=1e-12)
        hidden = p.weight @ (o * np.tanh(cell)) + p.bias
        np.testing.assert_allclose(outputs[1, t], hidden, atol=1e-12)


@pytest.mark.parametrize("quantized", [False, True])
def test_the_network_of_training_is_the_float_network(quantized):
    spec = projected({"weights": {"levels": 3}})
    checkpoint = make_checkpoint(spec)
    parameters = quantized_parameters(spec, checkpoint) if quantized else checkpoint.parent
    parameters["layer0_projection"].bias[:] = 0  # training has none
    network = Network(spec)
    with torch.no_grad():
        for product, name in zip(network.linears(), parameters, strict=True):
            product.weight.copy_(torch.from_numpy(parameters[name].weight))
            product.bias.copy_(torch.from_numpy(parameters[name].bias))
        x = samples(4, 8)
        head, tail = torch.from_numpy(x.astype(np.float32)).split([5, 3], dim=1)
        logits = torch.cat([network(head), network(tail)], dim=1).numpy()  # state carried on
    np.testing.assert_allclose(logits, forward(spec, parameters, x), atol=2e-5)


def test_training_reaches_every_weight_but_no_bias_of_the_projection():
    torch.manual_seed(1)
    network = Network(projected())
    network(torch.randn(2, 5, 5)).square().sum().backward()
    names = [product.weight.grad.abs().sum() > 0 for product in network.linears()]
    assert names == [True] * 4
    assert network.linears()[2].bias.grad is None
    assert not network.linears()[2].bias.any()


@pytest.mark.parametrize(
    ("projection", "layer"),
    [
        ({}, {}),
        ({"weights": {"levels": 3, "per": "channel"}, "output": {"bits": 5}}, {}),
        ({"units": 9}, {"weights": {"levels": 3}}),
        ({"requantize": {"multiplier_bits": 0}}, {"output": {"bits": 5}}),
        ({"requantize": {"rounding": "floor", "overflow": "wrap"}}, {}),
        ({"accumulator": {"overflow": "saturate", "bits": 12}}, {}),
    ],
)
def test_simulator_and_reference_agree_on_it(projection, layer):
    _, _, network = made(projection, **layer)
    x = samples(3, 6, seed=5)
    outputs = simulate(network, x)
    for sequence, expected in zip(x, outputs, strict=True):
        steps = reference.run_sequence(network, quantize_input(network.input, sequence).tolist())
        assert [step[-1].activations for step in steps] == expected.tolist()
    assert len(np.unique(simulate_trace(network, x).layers[0].activations)) > 5


def test_formats_are_those_asked_for():
    _, checkpoint, network = made({"output": {"bits": 6}, "weights": {"levels": 15}})
    layer = network.layers[0]
    assert (layer.cells, layer.outputs) == (6, 3)
    assert str(layer.output.format) == "int6"
    assert str(layer.projection.weight_format) == "int4n"
    assert layer.projection.name == "layer0_projection"
    assert layer.hidden_product.input == layer.projection.output == layer.output
    assert layer.projection.input == layer.cell_output
    # Calibrated: hardly a value is clipped, and the range is used.
    seen = simulate_trace(network, samples()).layers[0].activations
    assert seen.max() - seen.min() > 40
    real = lstm(
        *(checkpoint.parent[product.name] for product in layer.linears[:2]),
        samples(),
        None if layer.projection is None else checkpoint.parent[layer.projection.name],
    )
    assert np.abs(seen * layer.output.scale - real).max() < 6 * layer.output.scale


def test_with_long_words_it_comes_close_to_the_float_network():
    fine = {"levels": 65535}
    spec = make_spec(
        {
            "weights": fine,
            "preactivation": {"bits": 16, "fraction": 12, "guard_bits": 4},
            "tables": {"sigmoid_bits": 14, "tanh_bits": 14},
            "cell": {"bits": 24, "fraction": 20},
            "output": {"bits": 15},
            "projection": {"units": 3, "weights": fine, "output": {"bits": 16}},
        },
        {"weights": fine},
    )
    checkpoint = make_checkpoint(spec)
    network = quantize(spec, checkpoint, samples())
    real = network.output.scale * simulate(network, samples(seed=9))
    np.testing.assert_allclose(real, forward(spec, checkpoint.parent, samples(seed=9)), atol=5e-3)


def test_it_is_stored_and_loaded(tmp_path):
    spec, _, network = made({"weights": {"levels": 7}})
    save_network(network, tmp_path)
    assert network_hash(load_network(tmp_path)) == network_hash(network)
    retrained = make_checkpoint(spec, retrained=True)
    assert uses_retrained(spec, retrained)
    assert not uses_retrained(projected({"weights": {"levels": 5}}), retrained)
    save_checkpoint(retrained, tmp_path / "c.npz")
    again = load_checkpoint(tmp_path / "c.npz", spec)
    assert network_hash(quantize(spec, again, samples())) == network_hash(
        quantize(spec, retrained, samples())
    )
    message = r"layer0_hidden.weight must have shape \(24, 2\), not \(24, 3\)$"
    with pytest.raises(FileError, match=message):
        load_checkpoint(tmp_path / "c.npz", projected({"units": 2}))


def test_it_is_a_product_of_its_own():
    hardware = {"hidden": {"rows": 4}, "projection": {"rows": 3, "simd": 2}}
    spec = projected({"weights": {"levels": 3, "per": "channel"}}, hardware=hardware)
    assert [(p.name, p.outputs, p.inputs, p.scales, p.path) for p in spec.layer_products(0)] == [
        ("layer0_input", 24, 5, 24, "hardware"),
        ("layer0_hidden", 24, 3, 24, "layers[0].hardware.hidden"),
        ("layer0_projection", 3, 6, 3, "layers[0].hardware.projection"),
    ]
    assert spec.layer_inputs(1) == spec.layers[0].units == 3
    assert spec.layer_hardware(0).rows == 4


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ({"projection": {}}, "units is missing (t: layers[0].projection.units)"),
        (
            {"projection": {"units": 3, "output": {"signed": True}}},
            "unknown key 'signed'; known keys: bits, scale (t: layers[0].projection.output.signed)",
        ),
        (
            {"projection": {"units": 3, "weights": {"levels": 4}}},
            "levels must be odd, not 4 (t: layers[0].projection.weights.levels)",
        ),
        (
            {"projection": {"units": 3, "accumulator": {"overflow": "wrap"}}},
            "bits must be given when overflow is wrap (t: layers[0].projection.accumulator.bits)",
        ),
        (
            {"projection": {"units": 3}, "hardware": {"projection": {"simd": 4}}},
            "simd must divide 6, not 4 (or set pad: true) (t: layers[0].hardware.projection.simd)",
        ),
        (
            {"hardware": {"projection": {}}},
            "projection must be left out: the layer has none (t: layers[0].hardware.projection)",
        ),
    ],
)
def test_errors_name_the_key(layer, message):
    with pytest.raises(SpecError) as caught:
        make_spec(layer)
    assert str(caught.value) == message
