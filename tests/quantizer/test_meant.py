"""Quantized layers against what they are meant to compute, with a bound that is proven.

Simulator, reference and hardware follow the integers of a network; these tests ask whether the
integers are right. `tests.oracles.meant` has the real numbers, `tests.oracles.bound` how far the
integers may be from them.
"""

from __future__ import annotations

import math
import warnings
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fxsim import reference
from fxsim.arithmetic.formats import AccumulatorMode, IntFormat, Overflow, Rounding
from fxsim.errors import PrecisionWarning, RangeError
from fxsim.floats.checkpoint import Checkpoint, LinearParameters
from fxsim.network import QuantizedNetwork, accumulator_bounds
from fxsim.quantizer import quantize
from fxsim.spec.specification import NetworkSpec, parse_spec
from tests.image_strategies import geometry
from tests.oracles import meant
from tests.oracles.bound import NEARLY, hold
from tests.oracles.meant import fractions
from tests.strategies import unhurried

EXTREMES = [
    0.0,
    1e-38,
    1e-45,
    5e-324,
    1e-20,
    1e-13,
    1e-6,
    1e-5,
    1e5,
    1e20,
    1e38,
    -1e-38,
    -1e5,
    -1.0,
]
"""Gains and scales as weight decay, pruning and overflowing optimizers leave them."""

ORDINARY = st.sampled_from([1.0, -1.0, 0.5, 0.1, 3.0])


def magnitudes() -> st.SearchStrategy[float]:
    """Factors of a channel: mostly alike, at times unlike all others."""
    return ORDINARY | ORDINARY | st.sampled_from(EXTREMES)


@st.composite
def parameters(draw, outputs: int, inputs: int, *, gain: bool) -> LinearParameters:
    """Weights and biases with channels of any size, dead ones, outliers and ties."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    weight = generator.normal(size=(outputs, inputs))
    kind = draw(st.sampled_from(["normal", "ties", "outlier", "zeros"]))
    if kind == "ties":
        weight = generator.integers(-4, 5, (outputs, inputs)) / 2
    if kind == "outlier":
        weight.flat[0] = 1e4
    if kind == "zeros":
        weight[generator.random(weight.shape) < 0.7] = 0
    rows = np.array(draw(st.lists(magnitudes(), min_size=outputs, max_size=outputs)))
    bias = np.array(draw(st.lists(magnitudes() | st.just(0.0), min_size=outputs, max_size=outputs)))
    bias = bias * generator.normal(size=outputs)
    if gain:
        return LinearParameters(weight=weight, bias=bias, gain=rows)
    return LinearParameters(weight=weight * rows[:, None], bias=bias)


@st.composite
def weighted(draw, *, batch_norm: bool) -> dict[str, object]:
    """Keys of a layer that multiplies: modes, word lengths, accumulators."""
    accumulator: dict[str, object] = {}
    if draw(st.integers(0, 3)) == 0:
        accumulator = {
            "overflow": draw(st.sampled_from(["wrap", "saturate"])),
            "bits": draw(st.integers(8, 24)),
        }
    per = draw(st.sampled_from(["tensor", "channel"]))
    weights: dict[str, object] = {"levels": draw(st.sampled_from([3, 7, 255])), "per": per}
    if not batch_norm and draw(st.integers(0, 3)) == 0:
        weights |= {"levels": draw(st.sampled_from([4, 256])), "scheme": "asymmetric"}
    elif draw(st.booleans()):
        levels = draw(st.sampled_from([2, 5, 7, 9, 11, 13]))
        weights |= {"levels": levels, "scheme": "binary" if levels == 2 else "power_of_two"}
    plain = per == "tensor" and not batch_norm and draw(st.integers(0, 5)) == 0
    overflow = draw(st.sampled_from(["saturate", "saturate", "wrap"]))
    nonlinearities = ["none", "relu", *["relu6"] * (overflow == "saturate")]
    return {
        "weights": weights,
        "accumulator": accumulator,
        "batch_norm": batch_norm,
        "nonlinearity": draw(st.sampled_from(nonlinearities)),
        "output": {"bits": draw(st.integers(2, 12)), "signed": draw(st.booleans())},
        "requantize": {
            "multiplier_bits": 0 if plain else draw(st.sampled_from([8, 16, 24])),
            "overflow": overflow,
        },
    }


def most_of(layer: dict[str, object]) -> Fraction | None:
    """What the nonlinearity of a layer leaves at most."""
    return Fraction(6) if layer["nonlinearity"] == "relu6" else None


def effective(parameters: LinearParameters) -> np.ndarray:
    """Weights times gains."""
    if parameters.gain is None:
        return parameters.weight
    return parameters.gain[:, None] * parameters.weight


def made(
    spec: NetworkSpec,
    parent: dict[str, LinearParameters],
    calibration: np.ndarray,
) -> tuple[QuantizedNetwork | None, bool]:
    """The network, and whether a lack of multiplier bits was told; None if it was refused.

    Only given widths may be too small: of an accumulator, or the reach of a plain shift.
    """
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always", PrecisionWarning)
        try:
            return quantize(spec, Checkpoint(parent=parent), calibration), bool(seen)
        except RangeError as error:
            refused = str(error)
    (layer,) = spec.layers
    if layer.accumulator.bits is not None and "accumulator.bits must be at least" in refused:
        return None, True
    bits, overflow = layer.requantize.multiplier_bits, layer.requantize.overflow
    if bits == 0 or overflow is Overflow.WRAP:
        return None, True
    if "multiplier_bits must be at least" in refused:
        # 1 in an accumulator is more steps than the multiplier can say: outputs are very fine, or
        # all that is above 0 for the samples is a channel of another size.
        (found,) = parent.values()
        sizes = np.abs(np.concatenate([effective(found).ravel(), found.bias]))
        unlike = sizes[sizes > 0].min() < 1e-3 * sizes.max()
        assert bits < layer.output.bits + 8 or unlike, refused
        return None, True
    raise AssertionError(refused)


def check_width(product):
    """A bias makes no wide accumulator more than two bits wider than the weights need."""
    if product.accumulator.mode is AccumulatorMode.WIDE and product.tail.multiplier_bits:
        none = np.zeros(product.outputs, np.int64)
        bounds = accumulator_bounds(product.weight, none, product.input.format)
        needed = IntFormat.spanning(*bounds, signed=True).bits
        assert product.accumulator.format.bits <= needed + 2


@unhurried
@given(data=st.data(), rounding=st.sampled_from(Rounding))
def test_linear_layers(data, rounding):
    draw = data.draw
    outputs, inputs = draw(st.integers(1, 4)), draw(st.integers(1, 6))
    batch_norm = draw(st.booleans())
    layer = draw(weighted(batch_norm=batch_norm))
    source = {"shape": [inputs], "bits": draw(st.integers(1, 10)), "signed": draw(st.booleans())}
    layer |= {"type": "linear", "units": outputs}
    top = {"name": "n", "data": "d", "input": source, "layers": [layer], "rounding": str(rounding)}
    spec = parse_spec(top, "t")
    parent = draw(parameters(outputs, inputs, gain=batch_norm))
    generator = np.random.default_rng(draw(st.integers(0, 99)))
    size = draw(st.sampled_from([1.0, 1.0, 1e-38, 1e30]))
    calibration = size * generator.normal(size=(20, inputs))
    calibration = calibration if source["signed"] else abs(calibration)
    network, told = made(spec, {"layer0": parent}, calibration)
    if network is None:
        return
    (product,) = network.layers
    check_width(product)
    fmt = product.input.format
    xs = generator.integers(fmt.min, fmt.max, (6, inputs), endpoint=True)
    xs[0], xs[1], xs[2] = fmt.max, fmt.min, 0
    weight = fractions(product.weight) * fractions(
        np.broadcast_to(product.weight_scale, outputs)
    ).reshape(-1, 1)
    if layer["weights"].get("scheme") != "asymmetric":
        check_weights(weight, parent, product, magnitudes_of(**layer["weights"]))
    biases = fractions(parent.bias)
    saturating = product.accumulator.mode is AccumulatorMode.SATURATE
    for x in xs:
        result = reference.run_linear(product, x.tolist())
        if saturating and result.overflows:
            continue
        sums = weight @ (fractions(x) * Fraction(product.input.scale))
        hold(product, sums, biases, result.activations, told, most_of(layer))


def magnitudes_of(levels, scheme="symmetric", per=""):
    """Magnitudes of levels, from what the documentation says of a scheme."""
    match scheme:
        case "binary":
            return [1]
        case "power_of_two":
            return [0, *(2**k for k in range(levels // 2))]
        case "symmetric":
            return range(levels // 2 + 1)


def check_weights(weight, parent, product, magnitudes):
    """Each weight is the level nearest to it, in steps of its scale; a gain scales the steps.

    Channels of zeros have any scale.
    """
    gains = np.ones(len(weight)) if parent.gain is None else parent.gain
    wanted = fractions(parent.weight) * fractions(gains).reshape(-1, 1)
    scales = fractions(np.broadcast_to(product.weight_scale, len(weight)))
    tiny = Fraction(np.finfo(np.float64).tiny)
    for real, got, scale in zip(wanted, weight, scales, strict=True):
        if not got.any():
            continue
        steps = [Fraction(float(m)) for m in magnitudes]
        for wanted_weight, found in zip(real, got, strict=True):
            distance = min(abs(abs(wanted_weight) - step * scale) for step in steps)
            assert abs(found) / scale in steps
            slack = (abs(wanted_weight) + max(steps) * scale) * NEARLY + max(steps) * tiny
            assert abs(wanted_weight - found) <= distance + slack


@unhurried
@given(data=st.data(), rounding=st.sampled_from(Rounding))
def test_convolutions(data, rounding):
    draw = data.draw
    groups = draw(st.sampled_from([1, 1, 2, "depthwise"]))
    channels = draw(st.integers(1, 2)) * (2 if groups == 2 else 1)
    count = channels if groups == "depthwise" else groups
    each, depth = draw(st.integers(1, 2)), channels // count
    outputs, kernel = count * each, (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    height, width = draw(st.integers(kernel[0], 5)), draw(st.integers(kernel[1], 5))
    stride, padding = draw(geometry(*kernel))
    batch_norm = draw(st.booleans())
    layer = draw(weighted(batch_norm=batch_norm))
    layer |= {"type": "convolution", "units": outputs, "kernel": kernel, "stride": stride}
    layer |= {"padding": padding._asdict(), "groups": count}
    source = {"shape": [channels, height, width], "bits": draw(st.integers(1, 8))}
    source["signed"] = draw(st.booleans())
    top = {"name": "n", "data": "d", "input": source, "layers": [layer], "rounding": str(rounding)}
    spec = parse_spec(top, "t")
    parent = draw(parameters(outputs, math.prod(kernel) * depth, gain=batch_norm))
    generator = np.random.default_rng(draw(st.integers(0, 99)))
    calibration = generator.normal(size=(6, channels, height, width))
    calibration = calibration if source["signed"] else abs(calibration)
    place = {"stride": stride, "padding": padding, "groups": count}
    network, told = made(spec, {"layer0": parent}, calibration)
    if network is None:
        return
    (found,) = network.layers
    check_width(found.product)
    product, fmt = found.product, found.input.format
    weight = fractions(product.weight) * fractions(
        np.broadcast_to(product.weight_scale, outputs)
    ).reshape(-1, 1)
    # Columns of a stored matrix: row, column, then channel of the window.
    weight = np.moveaxis(weight.reshape(outputs, *kernel, depth), 3, 1)
    image = generator.integers(fmt.min, fmt.max, (channels, height, width), endpoint=True)
    real = fractions(image) * Fraction(found.input.scale)
    sums = meant.convolution(weight, fractions(np.zeros(outputs)), real, **place)
    # Images are stored pixel by pixel, the channels of each together.
    result = reference.run_convolution(found, np.moveaxis(image, 0, -1).ravel().tolist())
    if product.accumulator.mode is AccumulatorMode.SATURATE and result.overflows:
        return
    pixels = np.moveaxis(sums, 0, -1).reshape(-1, outputs)
    for sums_here, found_here in zip(
        pixels, np.reshape(result.activations, (-1, outputs)), strict=True
    ):
        hold(product, sums_here, fractions(parent.bias), found_here, told, most_of(layer))
