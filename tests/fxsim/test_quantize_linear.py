"""Fully connected layers on their way to integers: biases, accumulators, requantizers."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxsim.errors import RangeError, SpecError
from fxsim.floating import forward
from fxsim.formats import AccumulatorMode, Overflow, Rounding
from fxsim.quantize import (
    quantize,
    round_real,
    weight_scale,
)
from fxsim.quantize_activation import round_in_place
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
    multiplier = layer.requantizer.multiplier
    ratio = layer.weight_scale * layer.input.scale / layer.output.scale
    assert multiplier.max() < 1 << bits
    assert (multiplier.max() + 0.5) * 2 >= (1 << bits) - 1
    assert np.abs(multiplier / 2.0**layer.requantizer.shift - ratio).max() <= (
        0.5 / 2**layer.requantizer.shift
    )


def test_a_plain_shift_has_powers_of_two_only():
    spec = make_spec({"requantize": {"multiplier_bits": 0}, "weights": {"levels": 15}})
    checkpoint = make_checkpoint(spec)
    network = quantize(spec, checkpoint, samples(spec))
    layer = network.layers[0]
    assert math.frexp(layer.weight_scale[0])[0] == 0.5
    assert layer.requantizer.multiplier.tolist() == [1]
    ratio = layer.weight_scale[0] * layer.input.scale / layer.output.scale
    assert ratio == 2.0**-layer.requantizer.shift
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
    assert network.layers[0].requantizer.overflow is Overflow.WRAP
    assert network.layers[0].output.scale > saturating.layers[0].output.scale


@pytest.mark.parametrize("mode", ["wrap", "saturate"])
def test_a_given_accumulator_width_is_kept_and_holds_the_bias(mode):
    spec = make_spec({"accumulator": {"overflow": mode, "bits": 6}})
    checkpoint = make_checkpoint(spec)
    layer = quantize(spec, checkpoint, samples(spec)).layers[0]
    assert str(layer.accumulator.format) == "int6"
    assert layer.bias.min() == -32
    assert layer.bias.max() == 31


def test_widths_beyond_the_limits_are_refused():
    spec = make_spec(
        {"requantize": {"multiplier_bits": 1}, "output": {"bits": 16}},
        input={"shape": [8], "bits": 1},
    )
    with pytest.raises(
        RangeError, match=r"^layer0: multiplier_bits must be at least \d+ for a sca"
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
