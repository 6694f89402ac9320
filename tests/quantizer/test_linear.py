"""Fully connected layers on their way to integers: biases, accumulators, requantizers."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxsim import reference
from fxsim.arithmetic.formats import AccumulatorMode, Overflow, Rounding
from fxsim.errors import PrecisionWarning, RangeError, SpecError
from fxsim.floats.checkpoint import Checkpoint, LinearParameters
from fxsim.floats.forward import forward
from fxsim.quantizer.activation import round_in_place
from fxsim.quantizer.quantizer import quantize, round_real, weight_scale
from fxsim.simulator import simulate
from fxsim.spec import parse_spec
from tests.two_layers import make_checkpoint, make_spec, run, samples


def test_bias_and_accumulator_are_in_units_of_weight_times_input_scale():
    spec = make_spec()
    checkpoint = make_checkpoint(spec)
    layer = quantize(spec, checkpoint, samples(spec)).layers[0]
    unit = layer.weight_scale * layer.input.scale
    assert np.abs(layer.bias * unit - checkpoint.parent["layer0"].bias).max() <= unit[0] / 2 * 1.001
    bound = (255 * np.abs(layer.weight)).sum(axis=1).max()
    assert layer.accumulator.mode is AccumulatorMode.WIDE
    assert layer.accumulator.format.bits <= int(bound).bit_length() + 2


@pytest.mark.parametrize("bits", [1, 4, 8, 16, 24])
def test_multipliers_use_all_their_bits(bits):
    spec = make_spec({"weights": {"per": "channel"}, "requantize": {"multiplier_bits": bits}})
    layer = quantize(spec, make_checkpoint(spec), samples(spec)).layers[0]
    multiplier = layer.tail.multiplier
    ratio = layer.weight_scale * layer.input.scale / layer.output.scale
    assert multiplier.max() < 1 << bits
    assert (multiplier.max() + 0.5) * 2 >= (1 << bits) - 1
    assert np.abs(multiplier / 2.0**layer.tail.shift - ratio).max() <= (0.5 / 2**layer.tail.shift)


def test_a_plain_shift_has_powers_of_two_only():
    spec = make_spec({"requantize": {"multiplier_bits": 0}, "weights": {"levels": 15}})
    checkpoint = make_checkpoint(spec)
    network = quantize(spec, checkpoint, samples(spec))
    layer = network.layers[0]
    assert math.frexp(layer.weight_scale[0])[0] == 0.5
    assert layer.tail.multiplier.tolist() == [1]
    ratio = layer.weight_scale[0] * layer.input.scale / layer.output.scale
    assert ratio == 2.0**-layer.tail.shift
    exact = weight_scale(
        checkpoint.parent["layer0"].weight, make_spec({"weights": {"levels": 15}}).layers[0]
    )
    assert 0.5 < layer.weight_scale[0] / exact[0] < 2
    expected = forward(spec, checkpoint.parent, samples(spec))
    error = network.output.scale * run(network, samples(spec)) - expected
    assert np.abs(error).max() < 0.2 * np.abs(expected).max()


def test_a_plain_shift_has_one_scale():
    with pytest.raises(SpecError, match=r"^per must be 'tensor' with a plain shift"):
        make_spec({"requantize": {"multiplier_bits": 0}, "weights": {"per": "channel"}})


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_few_output_bits_clip_rather_than_round_everything_down(bits):
    spec = make_spec({"output": {"bits": bits}})
    checkpoint = make_checkpoint(spec)
    x = samples(spec, n=300)
    output = quantize(spec, checkpoint, x).layers[0].output
    first = spec.model_copy(update={"layers": spec.layers[:1]})
    real = forward(first, checkpoint.parent, x)

    def error(scale):
        return np.square(
            real - scale * np.floor(real / scale + 0.5).clip(0, output.format.max)
        ).sum()

    no_clipping = real.max() / output.format.max
    assert output.scale < 0.95 * no_clipping
    assert error(output.scale) < error(no_clipping)


def test_an_output_that_wraps_is_scaled_to_fit():
    spec = make_spec({"output": {"bits": 4}, "requantize": {"overflow": "wrap"}})
    x = samples(spec)
    network = quantize(spec, make_checkpoint(spec), x)
    saturating = quantize(make_spec({"output": {"bits": 4}}), make_checkpoint(spec), x)
    assert network.layers[0].tail.overflow is Overflow.WRAP
    assert network.layers[0].output.scale > saturating.layers[0].output.scale


def with_bias(bias, mode, bits, multiplier_bits=16):
    """One output with weights 127, -90, 0 for inputs 0 .. 15, with scales of 1."""
    layer = {"type": "linear", "units": 1, "output": {"signed": True}}
    layer["requantize"] = {"multiplier_bits": multiplier_bits}
    layer["accumulator"] = {"overflow": mode, "bits": bits}
    top = {"name": "n", "data": "d", "input": {"shape": [3], "bits": 4}, "layers": [layer]}
    spec = parse_spec(top, "t")
    parameters = LinearParameters(weight=np.array([[127.0, -90, 0]]), bias=np.array([bias]))
    return quantize(spec, Checkpoint(parent={"layer0": parameters}), np.full((4, 3), 15.0))


def test_a_bias_wraps_like_the_accumulator_that_it_starts():
    network = with_bias(600.0, "wrap", 10)
    (layer,) = network.layers
    assert str(layer.accumulator.format) == "int10"
    assert layer.bias.tolist() == [600 - 1024]
    # 600 - 6 * 90 = 60, the accumulator without the bias would be at -540.
    (step,) = reference.run(network, [0, 6, 0])
    assert step.accumulators == [60]


def test_a_bias_beyond_a_saturating_accumulator_is_refused():
    message = (
        r"^layer0: accumulator.bits must be at least 11 to hold the bias of channel 0, 600 in"
        r" units of the accumulator, not 10$"
    )
    with pytest.raises(RangeError, match=message):
        with_bias(600.0, "saturate", 10, multiplier_bits=0)
    assert with_bias(500.0, "saturate", 10).layers[0].bias.tolist() == [500]


@pytest.mark.parametrize(("mode", "bias"), [("saturate", 600.0), ("wrap", -2418.0)])
def test_a_bias_that_no_accumulator_starts_from_is_the_offset(mode, bias):
    network = with_bias(bias, mode, 10)
    (layer,) = network.layers
    assert layer.bias.tolist() == [0]
    said = int(layer.tail.offset[0]) * 2.0**-layer.tail.shift * layer.output.scale
    assert said == pytest.approx(bias, rel=1e-6)


def test_a_bias_that_no_sum_brings_back_is_refused_of_a_plain_shift():
    # Sums reach from -1350 to 1905.
    plain = {"mode": "wrap", "bits": 10, "multiplier_bits": 0}
    assert with_bias(-2000.0, **plain).layers[0].bias.tolist() == [-2000 + 2048]
    with pytest.raises(RangeError, match=r"at least 13 to hold the bias of channel 0, -2418 in"):
        with_bias(-2418.0, **plain)


def test_the_offset_is_what_the_accumulators_cannot_say():
    spec = make_spec({"output": {"bits": 8, "signed": True}})
    layer = quantize(spec, (checkpoint := make_checkpoint(spec)), samples(spec)).layers[0]
    unit = Fraction(float(layer.weight_scale[0])) * Fraction(layer.input.scale)
    step, tail = Fraction(layer.output.scale), layer.tail
    for k, real in enumerate(checkpoint.parent["layer0"].bias.tolist()):
        start, offset = int(layer.bias[k]), int(tail.offset[k])
        assert abs(start - Fraction(real) / unit) <= Fraction(1, 2)
        rest = (Fraction(real) - start * unit) / step
        assert abs(Fraction(offset, 1 << tail.shift) - rest) <= Fraction(1001, 2000 << tail.shift)


def test_a_bias_that_the_products_cancel_costs_nothing():
    """-15.5 and sums of 16 and 15.5: found once as an error of 128 output steps, and of 32."""
    layer = {"type": "linear", "units": 1, "nonlinearity": "relu", "output": {"bits": 8}}
    for bits in (8, 16):
        layer["requantize"] = {"multiplier_bits": bits}
        top = {"name": "n", "data": "d", "input": {"shape": [16]}, "layers": [layer]}
        parameters = LinearParameters(weight=np.full((1, 16), 2.0), bias=np.array([-15.5]))
        x = np.zeros((200, 16))
        x[:, :8], x[:, 9] = 1, np.linspace(0, 0.25, 200)
        network = quantize(parse_spec(top, "t"), Checkpoint(parent={"layer0": parameters}), x)
        (found,) = network.layers
        real = np.maximum(x @ parameters.weight[0] - 15.5, 0)
        assert abs(simulate(network, x)[:, 0] - real / found.output.scale).max() < 1.3


def test_a_unit_beyond_the_output_keeps_its_bias():
    """1 - 0.9 = 0.1 is 100 steps of 0.001, though 1 is 1000 and the output ends at 255."""
    layer = {"type": "linear", "units": 1, "nonlinearity": "relu", "weights": {"levels": 3}}
    layer["output"] = {"bits": 8, "scale": 0.001}
    top = {"name": "n", "data": "d", "input": {"shape": [1], "bits": 1}, "layers": [layer]}
    parameters = LinearParameters(weight=np.array([[1.0]]), bias=np.array([-0.9]))
    x = np.array([[0.0], [1.0]])
    network = quantize(parse_spec(top, "t"), Checkpoint(parent={"layer0": parameters}), x)
    assert simulate(network, np.array([[0], [1]])).tolist() == [[0], [100]]


def test_too_few_multiplier_bits_for_a_channel_are_told():
    """Channel 0 has weights of 1/1000, and sums that are as great: 2 of 12 bits are left to it."""
    layer = {"type": "linear", "units": 2, "output": {"bits": 8}}
    layer |= {"weights": {"levels": 255, "per": "channel"}, "requantize": {"multiplier_bits": 12}}
    top = {"name": "n", "data": "d", "input": {"shape": [2000]}, "layers": [layer]}
    weight = np.array([[0.001] * 2000, [1.0, *[0.0] * 1999]])
    parent = {"layer0": LinearParameters(weight=weight, bias=np.zeros(2))}
    x = np.random.default_rng(0).random((20, 2000))
    message = (
        r"^layer0: multiplier_bits must be about \d+ for channel 0, whose scale is far below that"
        r" of channel 1, not 12: its values can be off by [\d.]+ steps$"
    )
    with pytest.warns(PrecisionWarning, match=message):
        quantize(parse_spec(top, "t"), Checkpoint(parent=parent), x)


def test_widths_beyond_the_limits_are_refused():
    spec = make_spec(
        {"requantize": {"multiplier_bits": 1}, "output": {"bits": 16}},
        input={"shape": [8], "bits": 1},
    )
    with pytest.raises(
        RangeError, match=r"^layer0: (channel \d+: )?multiplier_bits must be at least \d+ for a sca"
    ):
        quantize(spec, make_checkpoint(spec), samples(spec))
    spec = make_spec(
        {"accumulator": {"overflow": "wrap", "bits": 50}, "requantize": {"multiplier_bits": 13}}
    )
    with pytest.raises(RangeError, match=r"^layer0: accumulator bits plus .* not 50 \+ 13$"):
        quantize(spec, make_checkpoint(spec), samples(spec))


@given(
    st.lists(
        st.floats(-(2.0**40), 2.0**40) | st.integers(-99, 99).map(lambda n: n / 2), min_size=1
    ),
    st.sampled_from(Rounding),
)
def test_rounding_in_place_is_round_real(values, rounding):
    edges = [
        0.5,
        -0.5,
        math.nextafter(0.5, 0),
        math.nextafter(0.5, 1),
        math.nextafter(1.5, 0),
        -0.0,
    ]
    value = np.array(values + edges + [-edge for edge in edges])
    expected = round_real(value, rounding)
    round_in_place(value, rounding)
    assert (value == expected).all()


def test_a_bias_beyond_the_reach_of_the_products_is_whole():
    """260 - x for x up to 255: the accumulator starts at 0, all of the bias is the offset."""
    layer = {"type": "linear", "units": 1, "weights": {"levels": 3}}
    layer["output"] = {"bits": 8, "signed": True, "scale": 1.0}
    source = {"shape": [1], "bits": 8, "scale": 1.0}
    spec = parse_spec({"name": "n", "data": "d", "input": source, "layers": [layer]}, "t")
    parameters = LinearParameters(weight=np.array([[-1.0]]), bias=np.array([260.0]))
    x = np.array([[255.0], [200.0], [0.0]])
    network = quantize(spec, Checkpoint(parent={"layer0": parameters}), x)
    assert network.layers[0].bias.tolist() == [0]
    assert simulate(network, x.astype(np.int64)).ravel().tolist() == [5, 60, 127]
