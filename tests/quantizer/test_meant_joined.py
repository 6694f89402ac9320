"""Concat, resize and rescale against exact rational numbers, in every mode."""

from __future__ import annotations

import warnings
from fractions import Fraction

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from fxsim.arithmetic.formats import Overflow, Rounding
from fxsim.errors import FxsimWarning, RangeError
from fxsim.floats.checkpoint import Checkpoint
from fxsim.network import Concat, Resize
from fxsim.quantizer import quantize
from fxsim.simulator.simulator import simulate_trace
from fxsim.spec import parse_spec
from tests.oracles import meant
from tests.oracles.bound import hold_rescale
from tests.oracles.meant import fractions
from tests.strategies import unhurried

MODES = {"rounding": st.sampled_from(Rounding), "overflow": st.sampled_from(Overflow)}


def quantized(inputs, layers, rounding, samples):
    """Network of a specification without parameters, and whether anything was told."""
    top = {"name": "n", "data": "d", "inputs": inputs, "layers": layers, "rounding": str(rounding)}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", FxsimWarning)
        try:
            network = quantize(parse_spec(top, "t"), Checkpoint(parent={}), samples)
        except RangeError as error:  # the ratio of scales is too great for so few bits
            assume("multiplier_bits must be at least" not in str(error))
            raise
    return network, bool(told)


def source(draw, shape, signed=True):
    """Specification of an input."""
    return {"shape": list(shape), "bits": draw(st.integers(2, 16)), "signed": signed}


def images(draw, inputs):
    """Calibration samples, whose scales may be far apart, and one image of integers."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    samples, found = {}, {}
    for name, wanted in inputs.items():
        scale = 2.0 ** draw(st.integers(-6, 6))
        samples[name] = scale * abs(generator.normal(size=(4, *wanted["shape"])))
        high = (1 << (wanted["bits"] - wanted["signed"])) - 1
        low = -high - 1 if wanted["signed"] else 0
        found[name] = generator.integers(low, high, (1, *wanted["shape"]), endpoint=True)
    return samples, found


def real(network, name, image):
    """What the integers of an input stand for."""
    activation = network.inputs[name].activation
    return Fraction(activation.scale) * (fractions(image) - activation.zero_point)


def stored(image):
    """Pixel by pixel, the channels of each together."""
    return np.moveaxis(image, 0, -1).ravel()


@unhurried
@given(data=st.data(), **MODES)
def test_rescale(data, rounding, overflow):
    draw = data.draw
    inputs = {"x": source(draw, (2, 2, 3), draw(st.booleans()))}
    samples, image = images(draw, inputs)
    layer = {
        "type": "rescale",
        "nonlinearity": draw(st.sampled_from(["none", "relu"])),
        "output": {"bits": draw(st.integers(2, 16))},
        "requantize": {
            "multiplier_bits": draw(st.sampled_from([0, 6, 16, 24])),
            "overflow": str(overflow),
        },
    }
    network, told = quantized(inputs, [layer], rounding, samples)
    (found,) = network.layers
    seen = simulate_trace(network, image).output[0]
    hold_rescale(found, stored(real(network, "x", image["x"][0])), seen, told)


@unhurried
@given(data=st.data(), rounding=MODES["rounding"])
def test_resize(data, rounding):
    draw = data.draw
    inputs = {"x": source(draw, (2, 2, 3), draw(st.booleans()))}
    samples, image = images(draw, inputs)
    factor = [draw(st.integers(1, 3)), draw(st.integers(2, 3))]
    network, _ = quantized(inputs, [{"type": "resize", "factor": factor}], rounding, samples)
    (found,) = network.layers
    assert isinstance(found, Resize)
    assert found.output == network.inputs["x"].activation
    expected = stored(meant.resize(image["x"][0], *factor))
    assert simulate_trace(network, image).output[0].tolist() == expected.tolist()


@unhurried
@given(data=st.data(), rounding=MODES["rounding"])
def test_concat(data, rounding):
    """Operands of formats and scales of their own: the bound is that of the rescale of each."""
    draw = data.draw
    inputs = {
        name: source(draw, (channels, 2, 3), draw(st.booleans()))
        for name, channels in {"x": 1, "y": 3, "z": 2}.items()
    }
    samples, image = images(draw, inputs)
    layer = {"type": "concat", "name": "cat", "sources": ["x", "y", "z"]}
    layer["requantize"] = {"multiplier_bits": draw(st.sampled_from([6, 16, 24]))}
    if draw(st.booleans()):
        layer["output"] = {"bits": draw(st.integers(2, 16))}
    network, told = quantized(inputs, [layer], rounding, samples)
    *brought, found = network.layers
    assert isinstance(found, Concat)
    trace = simulate_trace(network, image)
    parts, pixels = {}, trace.output[0].reshape(6, -1)
    for name, columns in {"x": slice(0, 1), "y": slice(1, 4), "z": slice(4, 6)}.items():
        parts[name] = pixels[:, columns].ravel()
    names = {rescale.name: rescale for rescale in brought}
    for name, seen in parts.items():
        wanted = stored(real(network, name, image[name][0]))
        if (rescale := names.pop(f"cat_{name}", None)) is None:
            output = found.output
            assert (Fraction(output.scale) * (fractions(seen) - output.zero_point) == wanted).all()
        else:
            hold_rescale(rescale, wanted, seen, told)
    assert not names


def test_equal_operands_are_wires():
    """Two sources of one format and scale; the third is a resize of one of them."""
    layers = [
        {"type": "resize", "name": "tall", "factor": [2, 1], "sources": ["x"]},
        {"type": "max_pool", "name": "same", "kernel": 1, "sources": ["tall"]},
        {"type": "concat", "name": "cat", "sources": ["tall", "same", "tall"]},
    ]
    inputs = {"x": {"shape": [1, 1, 2], "bits": 8}}
    network, _ = quantized(inputs, layers, Rounding.FLOOR, {"x": np.ones((1, 1, 1, 2))})
    assert [layer.name for layer in network.layers] == ["tall", "same", "cat"]
    assert simulate_trace(network, np.array([[7, 9]])).output.tolist() == [
        [7, 7, 7, 9, 9, 9, 7, 7, 7, 9, 9, 9]
    ]
