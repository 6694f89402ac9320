"""Asymmetric weights: the formula of Alvarez et al. on exact fractions, and what it implies."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fxsim import reference
from fxsim.errors import SpecError
from fxsim.network.storage import load_network, network_hash, save_network
from fxsim.quantizer.quantizer import (
    integer_weight,
    quantize,
    quantize_input,
    uses_retrained,
    weight_scale,
)
from fxsim.quantizer.weight import quantize_asymmetric, range_scale
from fxsim.simulator import simulate
from fxsim.spec import parse_spec
from fxsim.training.product import QuantizeWeight
from tests.quantizer.test_lstm import make_checkpoint, make_spec, samples

BYTE = {"scheme": "asymmetric", "levels": 256}


def rounded(x):
    return math.floor(x + Fraction(1, 2))


def by_the_paper(weights, scale, levels):
    """V'' = V' + round(Q V_min) with V' = round(Q V) - round(Q V_min), all in exact fractions."""
    q = 1 / Fraction(scale)
    low = rounded(q * min([Fraction(0), *map(Fraction, weights)]))
    stored = [min(max(rounded(q * Fraction(w)) - low, 0), levels - 1) for w in weights]
    assert all(0 <= value < levels for value in stored)
    return [value + low for value in stored]


@settings(max_examples=200, deadline=None)
@given(
    weights=st.lists(st.integers(-400, 400), min_size=1, max_size=12),
    scale=st.sampled_from([0.5, 1.0, 2.0, 8.0, 64.0]),
    levels=st.sampled_from([4, 16, 256]),
)
def test_integers_are_those_of_the_paper(weights, scale, levels):
    """Powers of two keep Q V exact, so that many values are ties."""
    weights = [w / 4 for w in weights]
    q = quantize_asymmetric(np.array([weights]), np.array([scale]), levels, 1)
    low = -min(0, rounded(Fraction(min(weights)) / Fraction(scale)))
    if low < levels:  # a scale far too small for the range is clamped at both ends
        assert q[0].tolist() == by_the_paper(weights, scale, levels)
    assert np.abs(q).max() < levels
    assert q.max() - min(q.min(), 0) < levels


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 9999), levels=st.sampled_from([16, 256]), shift=st.sampled_from([0, 3]))
def test_nothing_is_clipped_at_the_scale_of_the_range(seed, levels, shift):
    weight = np.random.default_rng(seed).normal(size=(3, 20)) + shift
    scale = range_scale(weight, levels)
    q = quantize_asymmetric(weight, scale, levels, 3)
    # Half a step each way, and at most one more where both ends round outwards.
    error = np.abs(scale[:, None] * q - weight) / scale[:, None]
    assert (error <= 0.5 + 1e-9).mean() > 0.9
    assert error.max() <= 1.5
    spread = np.maximum(weight.max(axis=1), 0) - np.minimum(weight.min(axis=1), 0)
    np.testing.assert_allclose(scale * (levels - 1), spread)


@pytest.mark.parametrize(
    ("weight", "scale", "q"),
    [
        ([0.0, 0.0], 1.0, [0, 0]),  # no range at all
        ([2.55, 2.55], 0.01, [255, 255]),  # V_max = V_min: the range from 0
        ([-2.55, -2.55], 0.01, [-255, -255]),
        ([1.0, 2.55], 0.01, [100, 255]),
        ([-1e-320, 0.0], np.finfo(float).tiny, [0, 0]),
    ],
)
def test_ranges_without_a_spread(weight, scale, q):
    weight = np.array([weight])
    np.testing.assert_allclose(range_scale(weight, 256), [scale])
    assert quantize_asymmetric(weight, range_scale(weight, 256), 256, 1).tolist() == [q]


def test_consistent_rounding_leaves_no_bias():
    """The mean error of many matrices, in steps; one rounded minimum would leave 0.2 to 0.3."""
    rng = np.random.default_rng(1)
    consistent, inconsistent = [], []
    for _ in range(60):
        weight = rng.normal(size=(1, 1000)) + rng.normal()
        scale = range_scale(weight, 256)
        q = quantize_asymmetric(weight, scale, 256, 1)
        consistent.append((q - weight / scale).mean())
        low = min(weight.min(), 0) / scale[0]
        other = np.floor(weight / scale - low + 0.5) + np.floor(low + 0.5)
        inconsistent.append((other - weight / scale).mean())
    assert np.abs(consistent).mean() < 0.03
    assert np.abs(inconsistent).mean() > 0.15


@pytest.mark.parametrize("per", ["tensor", "gate"])
def test_gates_have_a_range_of_their_own(per):
    spec = make_spec({"weights": BYTE | {"per": per}})
    weight = make_checkpoint(spec).parent["layer0_input"].weight
    groups = weight.reshape(4 if per == "gate" else 1, -1)
    scale = weight_scale(weight, spec.layers[0])
    expected = (groups.max(axis=1) - groups.min(axis=1)) / 255
    np.testing.assert_allclose(np.broadcast_to(scale, 24), np.repeat(expected, 24 // len(groups)))
    q = integer_weight(weight, scale, spec.layers[0]).reshape(len(groups), -1)
    assert (q.max(axis=1) - q.min(axis=1) >= 254).all()  # all levels but for a tie at an end


@pytest.mark.parametrize("levels", [4, 16, 256])
@pytest.mark.parametrize("projection", [False, True])
def test_simulator_and_reference_agree_on_it(levels, projection, tmp_path):
    weights = {"scheme": "asymmetric", "levels": levels}
    layer = {"weights": weights}
    if projection:
        layer["projection"] = {"units": 3, "weights": weights | {"per": "channel"}}
    spec = make_spec(layer, {"weights": weights})
    network = quantize(spec, make_checkpoint(spec), samples())
    for product in network.linears:
        assert product.weight_format.bits == {4: 3, 16: 5, 256: 9}[levels]
    x = samples(3, 6, seed=5)
    for sequence, expected in zip(x, simulate(network, x), strict=True):
        steps = reference.run_sequence(network, quantize_input(network.input, sequence).tolist())
        assert [step[-1].activations for step in steps] == expected.tolist()
    save_network(network, tmp_path)
    assert network_hash(load_network(tmp_path)) == network_hash(network)


def test_a_plain_shift_takes_a_power_of_two():
    layer = {"weights": BYTE, "output": {}, "requantize": {"multiplier_bits": 0}}
    spec = parse_spec(
        {
            "name": "n",
            "data": "d",
            "input": {"shape": [9]},
            "layers": [{"type": "linear", "units": 7} | layer],
        },
        "t",
    )
    weight = np.random.default_rng(3).normal(size=(7, 9))
    scale = weight_scale(weight, spec.layers[0])
    assert np.frexp(scale)[0] == 0.5
    ratio = scale / range_scale(weight.reshape(1, -1), 256)
    assert 0.5 < ratio < 2


def test_the_quantizer_of_training_is_the_one_of_quantize():
    spec = make_spec({"weights": BYTE}).layers[0]
    weight = torch.randn(24, 5, generator=torch.Generator().manual_seed(1))
    scale = weight_scale(weight.numpy(), spec)
    q = integer_weight(weight.numpy(), scale, spec)
    real = QuantizeWeight.apply(weight, torch.from_numpy(scale), spec).numpy()
    np.testing.assert_array_equal(real, (scale[:, None] * q).astype(np.float32))


@settings(max_examples=60)
@given(
    st.lists(st.integers(-3000, 3000), min_size=2, max_size=12),
    st.sampled_from([4, 16, 256]),
    st.integers(1, 40),
)
def test_with_the_scale_of_retraining_the_zero_point_follows_the_least_weight(whole, levels, step):
    """By the written contract, with rational numbers; the scale is no longer that of the range."""
    scale = Fraction(step, 4)
    weights = [Fraction(n, 8) for n in whole]
    spec = make_spec({"weights": {"scheme": "asymmetric", "levels": levels}}).layers[0]
    spec = spec.model_copy(update={"weights": spec.weights.model_copy(update={"per": "tensor"})})

    def near(x):
        return math.floor(x + Fraction(1, 2))

    zero = min(-near(min([Fraction(0), *weights]) / scale), levels - 1)
    stored = [min(max(near(w / scale) + zero, 0), levels - 1) for w in weights]
    expected = [v - zero for v in stored]
    real = np.array([[float(w) for w in weights]])
    found = integer_weight(real, np.array([float(scale)]), spec)
    assert found.tolist() == [expected]
    tensor = torch.from_numpy(real.astype(np.float32))
    fake = QuantizeWeight.apply(tensor, torch.tensor([float(scale)], dtype=torch.float64), spec)
    assert fake.tolist() == [[float(q * scale) for q in expected]]


def test_levels_tell_retrained_schemes_apart():
    spec = make_spec({"weights": BYTE})
    checkpoint = make_checkpoint(spec, retrained=True)
    assert uses_retrained(spec, checkpoint)
    assert not uses_retrained(make_spec(), checkpoint)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"scheme": "asymmetric"}, "levels must be even with scheme: asymmetric, not 255"),
        (BYTE | {"levels": 258}, "levels must be at most 256 with scheme: asymmetric, not 258"),
        (BYTE | {"levels": 2}, "levels must be at least 4 with scheme: asymmetric, not 2"),
        ({"levels": 256}, "levels must be odd, not 256"),
        ({"scheme": "binary", "levels": 3}, "levels must be 2 with scheme: binary, not 3"),
        (
            {"scheme": "power_of_two"},
            "levels must be 5, 7, 9, 11 or 13 with scheme: power_of_two, not 255",
        ),
    ],
)
def test_levels_that_do_not_fit(weights, message):
    for layer, last, where in ((weights, {}, 0), ({}, weights, 1)):
        with pytest.raises(SpecError) as caught:
            make_spec({"weights": layer}, {"weights": last})
        assert str(caught.value) == f"{message} (t: layers[{where}].weights.levels)"
    with pytest.raises(
        SpecError,
        match=r"^scheme must be 'symmetric', 'asymmetric', 'binary' or 'power_of_two', not 'odd'",
    ):
        make_spec({"weights": {"scheme": "odd"}})
