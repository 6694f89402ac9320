"""Real values on the grid, half way between two of its points, and elsewhere: their integers."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fxsim.arithmetic.formats import IntFormat, Rounding
from fxsim.data import Dataset, Split
from fxsim.floats.checkpoint import Checkpoint, LinearParameters
from fxsim.network import Activation, InputQuantizer
from fxsim.quantizer import quantize, quantize_input
from fxsim.quantizer.activation import integers
from fxsim.simulator import simulate
from fxsim.simulator.evaluate import calibration_samples
from fxsim.spec import parse_spec
from fxsim.training.activations import Calibrated
from fxsim.training.predict import predict
from tests.quantizer.test_quantizer import exact_round
from tests.two_layers import make_checkpoint

DTYPES = ["float16", "float32", "float64"]
TYPES = [
    (text, dtype)
    for text in ("uint8", "int8", "uint16", "int16")
    for dtype in DTYPES
    if (text[-2:], dtype) != ("16", "float16")  # 11 bits: neighbours of the grid are one number
]
SCALES = [1 / 255, 0.7316 / 255, 1.9 / 127, 1 / 128, 3.3e-3, 1 / 3]


def grid(fmt):
    return np.arange(fmt.min, fmt.max + 1)


def stored(values, dtype):
    """Values as a file holds them: rounded to ``dtype`` once, from exact products."""
    return np.array(values, np.float64).astype(dtype)


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize(("text", "dtype"), TYPES)
def test_a_sample_on_the_grid_is_its_integer(text, dtype, rounding):
    """For every k: the number of the type that is nearest to k * scale becomes k again.

    So does a product that was computed in the type, with the scale rounded to it.
    """
    fmt = IntFormat.parse(text)
    k = grid(fmt)
    for scale in SCALES:
        activation = Activation(format=fmt, scale=scale)
        q = integers(stored(k * scale, dtype), activation, rounding)
        assert np.array_equal(q, k), scale
        q = integers(k.astype(dtype) * np.array(scale, dtype), activation, rounding)
        assert np.array_equal(q, k), scale


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize(("text", "dtype"), TYPES)
def test_a_sample_half_way_is_a_tie(text, dtype, rounding):
    fmt = IntFormat.parse(text)
    k = grid(fmt)[:-1]
    expected = [exact_round(Fraction(2 * int(i) + 1, 2), rounding) for i in k]
    for scale in SCALES:
        x = stored((k + 0.5) * scale, dtype)
        q = integers(x, Activation(format=fmt, scale=scale), rounding)
        assert q.tolist() == expected, scale


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_a_sample_between_is_what_mathematics_says(dtype, data):
    """Exact fractions, but for a value within the machine epsilon of a grid point or half way."""
    rounding = data.draw(st.sampled_from(Rounding))
    scale = data.draw(st.floats(1e-3, 10))
    x = np.array([data.draw(st.floats(-300, 300))]).astype(dtype) * np.array(scale, dtype)
    exact = Fraction(float(x[0])) / Fraction(scale)
    tolerance = abs(exact) * Fraction(float(np.finfo(dtype).eps))
    points = [Fraction(math.floor(exact) * 2 + half, 2) for half in range(3)]
    allowed = {exact_round(exact, rounding)}
    allowed |= {exact_round(p, rounding) for p in points if abs(exact - p) <= 2 * tolerance}
    near = [p for p in points if abs(exact - p) <= tolerance / 2]
    wide = Activation(format=IntFormat.parse("int16"), scale=scale)
    (q,) = integers(x, wide, rounding).tolist()
    assert q in allowed
    if len(near) == 1 and tolerance < Fraction(1, 8):
        assert q == exact_round(near[0], rounding)


SIGNED = np.arange(-127, 128)


def test_every_pixel_of_an_image_is_its_integer():
    """float32 k / 127 with floor: 126 of 255 pixels were one too low."""
    pixels = (SIGNED.astype(np.float32) / 127).reshape(1, 1, 15, 17)
    for shape, x in (((1, 15, 17), pixels), ((255,), pixels.reshape(1, 255))):
        spec = on_the_floor(shape, [{"type": "flatten"}] * (len(shape) == 3))
        dataset = Dataset("d", Split(x, np.zeros(1, int)), Split(x, np.zeros(1, int)), 2)
        checkpoint = make_pixels_checkpoint(spec)
        network = quantize(spec, checkpoint, calibration_samples(dataset))
        assert network.input.activation.scale == 1 / 127
        assert quantize_input(network.input, x).tolist() == [SIGNED.tolist()]
        assert simulate(network, x).tolist() == [(network.layers[0].weight @ SIGNED).tolist()]


def on_the_floor(shape, layers):
    tree = {
        "name": "n",
        "data": "d",
        "rounding": "floor",
        "input": {"shape": list(shape), "bits": 8, "signed": True},
        "layers": [*layers, {"type": "linear", "units": 2}],
    }
    return parse_spec(tree, "t")


def make_pixels_checkpoint(spec):
    rng = np.random.default_rng(0)
    (product,) = spec.products
    weight = rng.normal(size=(product.outputs, product.inputs))
    return Checkpoint(parent={product.name: LinearParameters(weight=weight, bias=np.zeros(2))})


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_training_rounds_the_same(dtype, rounding):
    rng = np.random.default_rng(0)
    for scale in SCALES:
        fmt = IntFormat.parse("int8")
        activation = Activation(format=fmt, scale=scale)
        halves = stored(np.arange(-260, 261) / 2 * scale, dtype)
        x = np.concatenate([halves, rng.normal(size=300).astype(dtype)])
        values = Calibrated(activation=activation, rounding=rounding).values(torch.from_numpy(x))
        expected = (scale * integers(x, activation, rounding)).astype(dtype)
        assert np.array_equal(values.numpy(), expected)


def test_prediction_in_double_precision_knows_that_samples_are_single():
    spec = on_the_floor([255], [])
    x = (SIGNED.astype(np.float32) / 127)[None]
    checkpoint = make_checkpoint(spec)
    network = quantize(spec, checkpoint, x)
    layer = checkpoint.parent["layer0"]
    expected = layer.weight @ (SIGNED / 127) + layer.bias
    found = predict(spec, checkpoint.parent, x, network)
    assert np.abs(found - expected).max() < 1e-9


def test_samples_of_integers_and_truth_values_are_exact():
    quantizer = InputQuantizer(
        shape=(3,),
        activation=Activation(format=IntFormat.parse("uint8"), scale=0.5),
        rounding=Rounding.FLOOR,
    )
    assert quantize_input(quantizer, np.array([[0, 1, 100]])).tolist() == [[0, 2, 200]]
    assert quantize_input(quantizer, np.array([[True, False, True]])).tolist() == [[2, 0, 2]]


def test_samples_too_small_for_their_type_are_as_precise_as_it_is():
    """float16 below 2**-14 is a multiple of 2**-24, whatever its machine epsilon."""
    activation = Activation(format=IntFormat.parse("uint4"), scale=3.1e-7)
    k = np.arange(1, 16)
    x = stored(k * activation.scale, "float16")
    assert integers(x, activation, Rounding.FLOOR).tolist() == k.tolist()
