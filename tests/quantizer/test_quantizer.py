import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fxsim.arithmetic.formats import IntFormat, Overflow, Rounding
from fxsim.errors import RangeError, RetrainedWarning, SpecError
from fxsim.floats.checkpoint import Checkpoint
from fxsim.floats.forward import forward
from fxsim.network import Activation, Folding, InputQuantizer
from fxsim.network.storage import network_hash
from fxsim.quantizer.quantizer import (
    quantize,
    quantize_input,
    quantize_weight,
    quantized_parameters,
    round_real,
    uses_retrained,
)
from fxsim.simulator.simulator import simulate_trace
from tests.two_layers import make_checkpoint, make_spec, run, samples


def exact_round(value, rounding):
    """The table of `Rounding` on exact fractions."""
    exact, low = Fraction(value), math.floor(Fraction(value))
    rest = exact - low
    half = Fraction(1, 2)
    up = {
        Rounding.FLOOR: False,
        Rounding.TO_ZERO: exact < 0 and rest > 0,
        Rounding.TIES_AWAY: rest > half or (rest == half and exact > 0),
        Rounding.TIES_POS: rest >= half,
        Rounding.TIES_EVEN: rest > half or (rest == half and low % 2 == 1),
    }
    return low + up[rounding]


@pytest.mark.parametrize("rounding", Rounding)
@given(
    value=st.one_of(
        st.floats(-(2.0**60), 2.0**60),
        st.integers(-40, 40).map(lambda i: i / 4),
        st.sampled_from([0.49999999999999994, -0.49999999999999994, 2.0**52 + 1, -5e-324, -0.0]),
    )
)
@settings(deadline=None)
def test_rounding_of_reals_is_exact(rounding, value):
    assert round_real(np.array([value]), rounding).tolist() == [exact_round(value, rounding)]


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("fmt", ["int4", "uint4", "int4n", "int1", "uint1"])
def test_inputs_are_rounded_offset_and_saturated(rounding, fmt):
    fmt = IntFormat.parse(fmt)
    zero = min(fmt.max, 2)
    activation = Activation(format=fmt, scale=0.5, zero_point=zero)
    quantizer = InputQuantizer(shape=(2, 2), activation=activation, rounding=rounding)
    x = np.array([0.25, -0.25, 0.75, 1.0, -1.6, 3.9, 1e308, -1e308]).reshape(2, 2, 2)
    expected = [
        min(max(exact_round(v / 0.5, rounding) + zero, fmt.min), fmt.max)
        for v in x.ravel().clip(-99, 99)
    ]
    q = quantize_input(quantizer, x)
    assert q.dtype == np.int64
    assert q.shape == (2, 4)
    assert q.ravel().tolist() == expected


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((3, 5)), r"^x must have shape \(n, 4\), not \(3, 5\)$"),
        (np.zeros(4), r"^x must have shape \(n, 4\), not \(4,\)$"),
        (np.array([[0, 0, 0, 0], [0, np.nan, 0, 0]]), r"^x must be finite, not nan at \[1, 1\]$"),
        (np.full((1, 4), -np.inf), r"^x must be finite, not -inf at \[0, 0\]$"),
        (np.array([list("abcd")]), r"^x must hold numbers, not <U1$"),
    ],
)
def test_malformed_inputs_are_refused(x, message):
    activation = Activation(format=IntFormat(bits=8, signed=False), scale=1.0)
    quantizer = InputQuantizer(shape=(4,), activation=activation, rounding=Rounding.TIES_AWAY)
    with pytest.raises(RangeError, match=message):
        quantize_input(quantizer, x)


def test_no_input_gives_no_rows():
    activation = Activation(format=IntFormat(bits=8, signed=False), scale=1.0)
    quantizer = InputQuantizer(shape=(4,), activation=activation, rounding=Rounding.TIES_AWAY)
    assert quantize_input(quantizer, np.zeros((0, 4))).shape == (0, 4)


def test_weights_follow_equation_3():
    weight = np.array([[0.24, 0.25, -0.25, -0.74, 0.75, 9.0, -1e308, 0.0]])
    q = quantize_weight(weight, np.array([0.5]), np.arange(3))
    assert q.tolist() == [[0, 1, -1, -1, 2, 2, -2, 0]]


@pytest.mark.parametrize("levels", [3, 7, 15, 255])
@pytest.mark.parametrize("per", ["tensor", "channel"])
@pytest.mark.parametrize("signed", [True, False])
def test_the_fixed_point_network_follows_its_quantized_weights(levels, per, signed):
    """With 12-bit activations only the weights matter; the accumulators say so."""
    spec = make_spec(
        {"weights": {"levels": levels, "per": per}, "output": {"bits": 12}},
        {"weights": {"levels": levels}},
        input={"shape": [8], "bits": 12, "signed": signed},
    )
    checkpoint = make_checkpoint(spec)
    x = samples(spec)
    network = quantize(spec, checkpoint, x)
    expected = forward(spec, quantized_parameters(spec, checkpoint), x)
    real = network.output.scale * run(network, x)
    assert np.abs(real - expected).max() < 0.01 * np.abs(expected).max()
    assert network.layers[0].weight_scale.shape == ((12,) if per == "channel" else (1,))
    assert np.abs(network.layers[0].weight).max() <= levels // 2


def test_names_and_folding_come_from_the_specification():
    folding = {"rows": 5, "simd": 4, "pad": True, "dsp": False}
    spec = make_spec({"name": "first", "hardware": folding}, rounding="floor")
    network = quantize(spec, make_checkpoint(spec), samples(spec))
    assert (network.name, network.data, network.input.rounding) == ("n", "d", Rounding.FLOOR)
    assert [layer.name for layer in network.layers] == ["first", "layer1"]
    assert network.layers[0].folding == Folding(**folding)
    assert network.layers[1].folding == Folding(rows=1, simd=1)
    assert network.layers[0].tail.rounding is Rounding.FLOOR


def test_retrained_parameters_keep_their_scales():
    spec = make_spec({"weights": {"levels": 3, "per": "channel"}})
    checkpoint = make_checkpoint(spec, retrained=True)
    x = samples(spec)
    assert uses_retrained(spec, checkpoint)
    network = quantize(spec, checkpoint, x)
    for layer in network.layers:
        assert set(layer.weight_scale.tolist()) == {0.2}
        retrained = checkpoint.retrained[layer.name]
        expected = quantize_weight(retrained.weight, retrained.scale, layer.code.magnitudes)
        np.testing.assert_array_equal(layer.weight, expected)
    parent = quantize(spec, make_checkpoint(spec), x)
    assert network_hash(quantize(spec, checkpoint, x, direct=True)) == network_hash(parent)
    assert network_hash(network) != network_hash(parent)


@pytest.mark.parametrize("weights", [{"levels": 7, "per": "channel"}, {"levels": 3}])
def test_parameters_retrained_for_other_levels_or_groups_are_left_aside(weights):
    checkpoint = make_checkpoint(
        make_spec({"weights": {"levels": 3, "per": "channel"}}), retrained=True
    )
    spec = make_spec({"weights": weights})
    assert not uses_retrained(spec, checkpoint)
    x = samples(spec)
    direct = quantize(spec, checkpoint, x, direct=True)
    with pytest.warns(
        RetrainedWarning, match=r"^layer0 was retrained with (3 levels, not 7|12 scales, not 1): "
    ):
        given = quantize(spec, checkpoint, x)
    assert network_hash(given) == network_hash(direct)


def test_channels_of_zeros_cost_the_others_nothing():
    spec = make_spec({"weights": {"per": "channel"}})
    checkpoint = make_checkpoint(spec)
    checkpoint.parent["layer0"].weight[3] *= 0
    layer = quantize(spec, checkpoint, samples(spec)).layers[0]
    assert not layer.weight[3].any()
    assert layer.weight_scale[3] == layer.weight_scale[[0, 1, 2, *range(4, 12)]].max()
    assert layer.bias[3] * layer.weight_scale[3] * layer.input.scale == pytest.approx(
        checkpoint.parent["layer0"].bias[3], abs=0.01
    )


def test_a_network_of_zeros_is_a_network():
    spec = make_spec({"weights": {"per": "channel"}})
    checkpoint = make_checkpoint(spec)
    for linear in checkpoint.parent.values():
        linear.weight[:] = 0
        linear.bias[:] = 0
    network = quantize(spec, checkpoint, np.zeros((2, 8)))
    assert not run(network, np.ones((1, 8))).any()


def test_one_sample_of_one_value_is_enough():
    spec = make_spec({"units": 1}, {"units": 1}, input={"shape": [1], "bits": 1})
    network = quantize(spec, make_checkpoint(spec), np.ones((1, 1)))
    assert run(network, np.ones((1, 1))).shape == (1, 1)


def test_checkpoints_of_another_network_are_refused():
    with pytest.raises(SpecError, match=r"^float.layer0.weight must have shape \(12, 8\), not"):
        quantize(make_spec(), make_checkpoint(make_spec({"units": 3})), np.zeros((1, 8)))


@pytest.mark.parametrize(
    ("calibration", "error", "message"),
    [
        (np.zeros((0, 8)), RangeError, r"^calibration must have at least one sample$"),
        (np.zeros((2, 9)), RangeError, r"^calibration must have shape \(n, 8\), not \(2, 9\)$"),
        (np.full((1, 8), np.inf), RangeError, r"^calibration must be finite, not inf at \[0, 0\]$"),
        (-np.ones((1, 8)), SpecError, r"^input must be signed: calibration has values down to -1$"),
    ],
)
def test_malformed_calibration_is_refused(calibration, error, message):
    spec = make_spec()
    with pytest.raises(error, match=message):
        quantize(spec, make_checkpoint(spec), calibration)


@pytest.mark.parametrize(("weight", "bias"), [(1e-320, 1e300), (1e300, 1.0)])
def test_parameters_of_absurd_size_are_one_clear_line(weight, bias):
    spec = make_spec()
    checkpoint = make_checkpoint(spec)
    checkpoint.parent["layer0"].weight[:] = weight
    checkpoint.parent["layer0"].bias[:] = bias
    with pytest.raises(RangeError, match=r"^layer0: [^\n]*$"):
        quantize(spec, checkpoint, samples(spec))


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_valid_specification_quantizes_to_a_valid_network(data):
    draw = data.draw
    plain = draw(st.booleans())
    first = {
        "weights": {
            "levels": draw(st.sampled_from([3, 5, 7, 255])),
            "per": "tensor" if plain else draw(st.sampled_from(["tensor", "channel"])),
        },
        "nonlinearity": draw(st.sampled_from(["none", "relu"])),
        "output": {"bits": draw(st.integers(1, 12)), "signed": draw(st.booleans())},
        "requantize": {
            "multiplier_bits": 0 if plain else draw(st.integers(16, 24)),
            "overflow": draw(st.sampled_from(list(Overflow))),
            "rounding": draw(st.sampled_from(list(Rounding))),
        },
    }
    signed = draw(st.booleans())
    spec = make_spec(
        first, input={"shape": [8], "bits": draw(st.integers(1, 12)), "signed": signed}
    )
    checkpoint = make_checkpoint(spec, seed=draw(st.integers(0, 99)))
    x = samples(spec, n=10)
    network = quantize(spec, checkpoint, x)  # every constructor validates
    assert network_hash(network) == network_hash(quantize(spec, checkpoint, x))
    run(network, x[:2])


@pytest.mark.filterwarnings("ignore::fxsim.errors.RetrainedWarning")
def test_a_memory_changes_nothing_but_the_work():
    spec = make_spec(first={"weights": {"levels": 7, "per": "channel"}})
    checkpoint, seen = make_checkpoint(spec, retrained=True), {}

    def remember(key, make):
        if key not in seen:
            seen[key] = make()
        return seen[key]

    for wanted in (spec, make_spec(), make_spec(first={"output": {"bits": 3}}), spec):
        for other in (wanted, make_spec(input={"shape": [8], "bits": 5})):
            fresh = quantize(other, checkpoint, samples(spec))
            kept = quantize(other, checkpoint, samples(spec), remember=remember)
            assert network_hash(kept) == network_hash(fresh)


@pytest.mark.parametrize("scheme", [{"scheme": "binary"}, {"scheme": "power_of_two", "levels": 5}])
@pytest.mark.parametrize("gain", [0.0, -1.0])
def test_channels_of_zeros_yield_their_bias_whatever_the_code(scheme, gain):
    """A weight of 0, or times a gain of 0, is 0 also where no level is."""
    hidden = {"weights": scheme | {"per": "channel"}, "batch_norm": True, "output": {"bits": 8}}
    spec = make_spec(hidden | {"nonlinearity": "none"})
    checkpoint = make_checkpoint(spec)
    first = checkpoint.parent["layer0"]
    weight, gains = first.weight.copy(), np.ones(len(first.bias))
    weight[0], gains[1] = 0.0, gain
    parent = dict(checkpoint.parent) | {"layer0": replace(first, weight=weight, gain=gains)}
    network = quantize(spec, Checkpoint(parent=parent), samples(spec))
    layer, x = network.layers[0], samples(spec)
    found = simulate_trace(network, x).layers[0].activations
    real = layer.output.scale * (found - layer.output.zero_point)
    constant = [0, 1] if gain == 0 else [0]
    bias = np.clip(first.bias[constant], *(layer.output.scale * np.array([-128, 127])))
    assert np.abs(real[:, constant] - bias).max() <= layer.output.scale
