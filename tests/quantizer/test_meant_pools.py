"""Pools against exact means and maxima: equal, in every mode."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxsim import reference
from fxsim.arithmetic import integers
from fxsim.arithmetic.formats import IntFormat, Rounding
from fxsim.errors import RangeError
from fxsim.floats.checkpoint import Checkpoint
from fxsim.quantizer import quantize
from fxsim.quantizer.requantize import mean_tail
from fxsim.spec import parse_spec
from tests.image_strategies import geometry
from tests.oracles import meant
from tests.oracles.meant import fractions
from tests.strategies import unhurried


@unhurried
@given(data=st.data(), rounding=st.sampled_from(Rounding), signed=st.booleans())
def test_pools(data, rounding, signed):
    """Averages are exact, whatever the mode; so are maxima."""
    draw = data.draw
    channels, kernel = draw(st.integers(1, 2)), (draw(st.integers(1, 4)), draw(st.integers(1, 4)))
    height, width = draw(st.integers(kernel[0], 6)), draw(st.integers(kernel[1], 6))
    stride, padding = draw(geometry(*kernel))
    kind = draw(st.sampled_from(["average_pool", "max_pool", "whole"]))
    layer = {"type": "average_pool" if kind == "whole" else kind}
    if kind != "whole":
        layer |= {"kernel": kernel, "stride": stride}
    if kind == "max_pool":
        layer["padding"] = padding._asdict()
    source = {
        "shape": [channels, height, width],
        "bits": draw(st.integers(1, 16)),
        "signed": signed,
    }
    top = {"name": "n", "data": "d", "input": source, "layers": [layer], "rounding": str(rounding)}
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    calibration = abs(generator.normal(size=(4, channels, height, width)))
    network = quantize(parse_spec(top, "t"), Checkpoint(parent={}), calibration)
    (found,) = network.layers
    fmt = found.input.format
    image = generator.integers(fmt.min, fmt.max, (channels, height, width), endpoint=True)
    if draw(st.booleans()):
        image[...] = draw(st.integers(fmt.min, fmt.max))  # the mean of equals is one of them
    stored = np.moveaxis(image, 0, -1).ravel().tolist()
    if kind == "max_pool":
        result = reference.run_max_pool(found, stored)
        expected = meant.max_pool(fractions(image), kernel, stride, padding)
    else:
        result = reference.run_convolution(found, stored)
        window, step = ((height, width), (1, 1)) if kind == "whole" else (kernel, stride)
        means = meant.average_pool(fractions(image), window, step)
        expected = np.vectorize(lambda value: meant.rounded(value, rounding), otypes=[object])(
            means
        )
    assert result.activations == np.moveaxis(expected, 0, -1).ravel().tolist()


def sums_near_halves(count: int, low: int, high: int, generator: np.random.Generator) -> list[int]:
    """Sums whose mean is a multiple of 1/2 or next to one: at both ends, about 0, and anywhere."""
    most = 2 * (high - low) // count
    places = {0, 1, 2, 3, most - 2, most - 1, most, *generator.integers(0, most + 1, 30).tolist()}
    near = {low + place * count // 2 + by for place in places for by in (-1, 0, 1)}
    near |= {low, high, -1, 0, 1, count // 2, -(count // 2), count - 1, 1 - count}
    return sorted(value for value in near if low <= value <= high)


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", [1, 2, 7, 8, 12, 16])
def test_means_are_exact_at_their_edges(bits, signed, rounding):
    """Every kernel up to 40 pixels a side, and a few of odd shapes."""
    if signed and bits == 1:
        return
    fmt, generator = IntFormat(bits=bits, signed=signed), np.random.default_rng(bits)
    counts = [side * side for side in range(1, 41)] + [2 * 3, 7 * 11, 45 * 80, 128 * 96]
    for count in counts:
        low, high = count * fmt.min, count * fmt.max
        tail = mean_tail(count, low, high, rounding)
        for total in sums_near_halves(count, low, high, generator):
            assert _mean(tail, total, fmt) == meant.rounded(Fraction(total, count), rounding)


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize(("count", "zero_point"), [(9, 0), (9, 3), (36, 0), (25, -8), (144, 0)])
def test_means_are_exact_for_every_sum(count, zero_point, rounding):
    fmt = IntFormat(bits=6, signed=True)
    low, high = count * (fmt.min - zero_point), count * (fmt.max - zero_point)
    tail = mean_tail(count, low, high, rounding)
    for total in range(low, high + 1):
        found = _mean(tail, total, IntFormat(bits=8, signed=True))
        assert found == meant.rounded(Fraction(total, count), rounding)


def _mean(tail, total, fmt):
    return integers.requantize(
        total,
        multiplier=int(tail.multiplier[0]),
        offset=int(tail.offset[0]),
        slack_bits=tail.slack_bits,
        shift=tail.shift,
        zero_point=0,
        fmt=fmt,
        rounding=tail.rounding,
        mode=tail.overflow,
        relu=False,
    )


def test_a_mean_that_is_too_wide_is_refused():
    message = r"^the mean of 16777209 values must fit 62 bits, not \d+ of the reciprocal and \d+ of"
    with pytest.raises(RangeError, match=message):
        mean_tail(4095 * 4097 - 6, 0, (1 << 16) * 4095 * 4097, Rounding.FLOOR)
