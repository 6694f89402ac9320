"""LSTM layers from float parameters to integers."""

import numpy as np
import pytest

from fxsim import reference
from fxsim.data import Dataset, Split
from fxsim.errors import FileError, RangeError, RetrainedWarning, SpecError
from fxsim.floats.checkpoint import (
    Checkpoint,
    LinearParameters,
    RetrainedParameters,
    load_checkpoint,
    save_checkpoint,
)
from fxsim.floats.forward import forward, lstm
from fxsim.network import accumulator_bounds
from fxsim.network.storage import load_network, network_hash, save_network
from fxsim.quantizer.quantizer import (
    quantize,
    quantize_input,
    quantize_weight,
    quantized_parameters,
    uses_retrained,
    weight_scale,
)
from fxsim.quantizer.step_size import l2_scale
from fxsim.simulator import simulate
from fxsim.simulator.evaluate import accuracy, bits_per_character, float_bits_per_character
from fxsim.spec import parse_spec

CELLS, INPUTS = 6, 5


def make_spec(layer=None, last=None, **top):
    layers = [
        {"type": "lstm", "cells": CELLS} | (layer or {}),
        {"type": "linear", "units": 4} | (last or {}),
    ]
    value = {"name": "n", "data": "d", "input": {"shape": [INPUTS], "bits": 1}, "layers": layers}
    return parse_spec(value | top, "t")


def make_checkpoint(spec, seed=0, retrained=False, spread=0.7):
    rng = np.random.default_rng(seed)
    parent, trained = {}, {}
    for product in spec.products:
        weight = rng.normal(size=(product.outputs, product.inputs)) * spread
        bias = rng.normal(size=product.outputs) * 0.4
        parent[product.name] = LinearParameters(weight=weight, bias=bias)
        trained[product.name] = RetrainedParameters(
            weight=weight + 0.05,
            bias=-bias,
            scale=np.full(product.scales, 0.2),
            levels=product.spec.weights.levels,
        )
    return Checkpoint(parent=parent, retrained=trained if retrained else None)


def samples(n=8, t=9, seed=1, inputs=INPUTS):
    return np.eye(inputs)[np.random.default_rng(seed).integers(inputs, size=(n, t))]


def made(layer=None, last=None, **top):
    spec = make_spec(layer, last, **top)
    checkpoint = make_checkpoint(spec)
    return spec, checkpoint, quantize(spec, checkpoint, samples())


def test_the_float_layer_worked_step_by_step():
    rng = np.random.default_rng(2)
    w, u = rng.normal(size=(8, 3)), rng.normal(size=(8, 2))
    b, also = rng.normal(size=8), rng.normal(size=8)
    x = rng.normal(size=(4, 3))
    hidden, cell = np.zeros(2), np.zeros(2)
    expected = []
    for vector in x:
        z = (w @ vector + u @ hidden + b + also).reshape(4, 2)
        i, f, o = 1 / (1 + np.exp(-z[:3]))
        cell = f * cell + i * np.tanh(z[3])
        hidden = o * np.tanh(cell)
        expected.append(hidden)
    outputs = lstm(
        LinearParameters(weight=w, bias=b), LinearParameters(weight=u, bias=also), x[None]
    )
    np.testing.assert_allclose(outputs[0], expected, atol=1e-12)


def test_float_sequences_start_anew():
    spec = make_spec()
    checkpoint = make_checkpoint(spec)
    x = samples()
    alone = np.concatenate([forward(spec, checkpoint.parent, row[None]) for row in x])
    np.testing.assert_allclose(forward(spec, checkpoint.parent, x), alone, atol=1e-12)
    with pytest.raises(RangeError, match=r"^x must have shape \(n, t, 5\), not \(9, 5\)$"):
        forward(spec, checkpoint.parent, x[0])


@pytest.mark.parametrize("levels", [3, 7, 255])
@pytest.mark.parametrize("per", ["gate", "tensor"])
def test_weights_have_the_l2_scale_of_their_gate(levels, per):
    _, checkpoint, network = made({"weights": {"levels": levels, "per": per}})
    (layer, _) = network.layers
    for name, product in (
        ("layer0_input", layer.input_product),
        ("layer0_hidden", layer.hidden_product),
    ):
        weight = checkpoint.parent[name].weight
        groups = 4 if per == "gate" else 1
        magnitudes = np.arange(levels // 2 + 1)
        scale = np.repeat(l2_scale(weight.reshape(groups, -1), levels), 24 // groups)
        np.testing.assert_array_equal(np.broadcast_to(product.weight_scale, 24), scale)
        np.testing.assert_array_equal(product.weight, quantize_weight(weight, scale, magnitudes))
        assert product.name == name
        assert len(product.tail.multiplier) == len(product.weight_scale)


def test_the_offset_has_what_coarse_units_lose_of_the_bias():
    _, checkpoint, network = made({"weights": {"levels": 3}})
    (layer, _) = network.layers
    real = sum(checkpoint.parent[f"layer0_{which}"].bias for which in ("input", "hidden"))
    x, h = layer.input_product, layer.hidden_product
    unit, step = x.weight_scale * x.input.scale, 2.0**-x.tail.shift * x.output.scale
    np.testing.assert_array_equal(x.bias, np.round(real / unit))
    assert np.abs(unit * x.bias - real).max() > 0.1
    said = step * (x.bias * x.tail.multiplier + x.tail.offset)
    assert (np.abs(said - real) <= step * 0.51).all()
    assert not h.bias.any()
    assert not h.tail.offset.any()


def test_multipliers_bring_both_products_to_the_scale_of_the_sum():
    _, _, network = made({"preactivation": {"bits": 12, "fraction": 7, "guard_bits": 2}})
    (layer, _) = network.layers
    for product in (layer.input_product, layer.hidden_product):
        assert product.output.scale == 2.0**-9
        tail = product.tail
        wanted = product.weight_scale * product.input.scale / 2.0**-9
        real = np.ldexp(tail.multiplier.astype(float), -tail.shift)
        np.testing.assert_allclose(real, wanted, rtol=2.0**-14)
        low, high = accumulator_bounds(product.weight, product.bias, product.input.format)
        assert product.accumulator.format.holds(low, high)
        bits = product.accumulator.format.bits - 1
        assert max(high, -low - 1).bit_length() == bits  # no wider than needed
    assert (layer.tanh.input.bits, layer.tanh.input_fraction, layer.guard_bits) == (12, 7, 2)


@pytest.mark.parametrize("levels", [3, 255])
@pytest.mark.parametrize("rounding", ["ties_away", "floor"])
def test_simulator_and_reference_agree_on_it(levels, rounding):
    spec, _, network = made({"weights": {"levels": levels}}, rounding=rounding)
    assert spec.recurrent
    assert network.recurrent
    x = samples(3, 6, seed=5)
    outputs = simulate(network, x)
    for sequence, expected in zip(x, outputs, strict=True):
        steps = reference.run_sequence(network, quantize_input(network.input, sequence).tolist())
        assert [step[-1].activations for step in steps] == expected.tolist()


def test_with_long_words_it_comes_close_to_the_float_network():
    spec, checkpoint, network = made(
        {
            "weights": {"levels": 65535},
            "preactivation": {"bits": 16, "fraction": 12, "guard_bits": 4},
            "tables": {"sigmoid_bits": 14, "tanh_bits": 14},
            "cell": {"bits": 24, "fraction": 20},
            "output": {"bits": 15},
        },
        {"weights": {"levels": 65535}},
    )
    x = samples(seed=9)
    real = network.output.scale * simulate(network, x)
    np.testing.assert_allclose(real, forward(spec, checkpoint.parent, x), atol=5e-3)


def test_layers_before_and_after_need_not_be_raw():
    hidden = {"type": "linear", "units": 7, "nonlinearity": "relu", "output": {}}
    recurrent = {"type": "lstm", "cells": 3}
    spec = parse_spec(
        {
            "name": "n",
            "data": "d",
            "input": {"shape": [INPUTS]},
            "layers": [hidden, recurrent, hidden, recurrent, {"type": "linear", "units": 2}],
        },
        "t",
    )
    checkpoint = make_checkpoint(spec)
    network = quantize(spec, checkpoint, samples())
    x = samples(seed=3)
    outputs, real = simulate(network, x), forward(spec, checkpoint.parent, x)
    assert outputs.shape == real.shape == (8, 9, 2)
    assert np.abs(network.output.scale * outputs - real).max() < 0.1


def test_a_dead_gate_takes_the_scale_of_the_others():
    spec = make_spec()
    checkpoint = make_checkpoint(spec)
    checkpoint.parent["layer0_hidden"].weight[:CELLS] = 0.0
    product = quantize(spec, checkpoint, samples()).layers[0].hidden_product
    assert product.weight_scale[0] == product.weight_scale[CELLS:].max()


def test_retrained_parameters_keep_their_scales(tmp_path):
    spec = make_spec()
    checkpoint = make_checkpoint(spec, retrained=True)
    assert uses_retrained(spec, checkpoint)
    layer = quantize(spec, checkpoint, samples()).layers[0]
    assert set(layer.input_product.weight_scale.tolist()) == {0.2}
    direct = quantize(spec, checkpoint, samples(), direct=True).layers[0]
    expected = weight_scale(checkpoint.parent["layer0_input"].weight, spec.layers[0])
    np.testing.assert_array_equal(direct.input_product.weight_scale, expected)
    assert not uses_retrained(make_spec({"weights": {"per": "tensor"}}), checkpoint)
    other = r"was retrained with \d+ scales, not 1: all retrained parameters are left aside"
    with pytest.warns(RetrainedWarning, match=other):
        quantize(make_spec({"weights": {"per": "tensor"}}), checkpoint, samples())
    assert not uses_retrained(make_spec({"weights": {"levels": 3}}), checkpoint)
    real = quantized_parameters(spec, checkpoint)["layer0_hidden"].weight
    np.testing.assert_allclose(real, 0.2 * layer.hidden_product.weight)

    save_checkpoint(checkpoint, tmp_path / "c.npz")
    again = load_checkpoint(tmp_path / "c.npz", spec)
    assert network_hash(quantize(spec, again, samples())) == network_hash(
        quantize(spec, checkpoint, samples())
    )
    message = r"c.npz: float.layer0_input.weight must have shape \(28, 5\), not \(24, 5\)$"
    with pytest.raises(FileError, match=message):
        load_checkpoint(tmp_path / "c.npz", make_spec({"cells": 7}))


def test_it_is_stored_and_loaded(tmp_path):
    _, _, network = made()
    save_network(network, tmp_path)
    assert network_hash(load_network(tmp_path)) == network_hash(network)


def test_a_memory_knows_each_key_of_the_hardware():
    """The multipliers of the cells are in no folding of a product."""
    seen = {}

    def remember(key, make):
        return seen[key] if key in seen else seen.setdefault(key, make())

    for multipliers in (3, 1, 3):
        spec = make_spec({"hardware": {"multipliers": multipliers}})
        found = quantize(spec, make_checkpoint(spec), samples(), remember=remember)
        assert found.layers[0].multipliers == multipliers


def test_errors_name_the_product():
    spec = make_spec({"requantize": {"multiplier_bits": 2}})
    with pytest.raises(
        RangeError, match=r"^layer0_input: channel 18: multiplier_bits must be at least \d+ "
    ):
        quantize(spec, make_checkpoint(spec, spread=9.0), samples())
    parent = dict(make_checkpoint(spec).parent)
    del parent["layer0_hidden"]
    with pytest.raises(SpecError, match=r"^float.layer0_hidden.weight is missing$"):
        quantize(spec, Checkpoint(parent=parent), samples())
    with pytest.raises(RangeError, match=r"^calibration must have shape \(n, t, 5\), not \(9, 5\)"):
        quantize(spec, make_checkpoint(spec), samples()[0])


def test_bits_per_character_is_the_mean_surprise():
    spec, checkpoint, network = made()
    x = samples(4, 7, seed=6)
    labels = np.random.default_rng(7).integers(4, size=(4, 7))
    split = Split(x, labels)

    def expected(logits):
        p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
        chosen = [p[n, t, labels[n, t]] for n in range(4) for t in range(7)]
        return -np.log2(chosen).mean()

    outputs = simulate(network, x)
    assert bits_per_character(network, split) == pytest.approx(
        expected(network.output.scale * outputs)
    )
    assert float_bits_per_character(spec, checkpoint.parent, split) == pytest.approx(
        expected(forward(spec, checkpoint.parent, x))
    )
    assert accuracy(network, split) == (outputs.argmax(axis=-1) == labels).mean()
    empty = Dataset("d", Split(x[:0], labels[:0]), split, 4).train
    with pytest.raises(RangeError, match=r"^split must have at least one sample$"):
        bits_per_character(network, empty)
