"""The arithmetic against exact rational numbers and against what the names of the modes say."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import partial
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxsim.arithmetic.formats import AccumulatorMode, IntFormat, Overflow, Rounding
from fxsim.arithmetic.integers import accumulate, requantize, saturate, shift_round, wrap
from fxsim.errors import ConfigError
from tests.strategies import unhurried

WIDE, WRAP, SATURATE = AccumulatorMode
FORMATS = [
    IntFormat(bits=bits, signed=signed, narrow=narrow)
    for bits in range(1, 9)
    for signed, narrow in ((False, False), (True, False), (True, True))
    if bits >= 2 or not narrow
]


def rounded(real: Fraction, mode: Rounding) -> int:
    """Round an exact rational number by the words of the mode's name."""
    below, above = math.floor(real), math.ceil(real)
    if mode is Rounding.FLOOR:
        return below
    if mode is Rounding.TO_ZERO:
        return min(below, above, key=abs)
    if real - below != above - real:
        return min(below, above, key=lambda integer: abs(real - integer))
    return {
        Rounding.TIES_AWAY: max(below, above, key=abs),
        Rounding.TIES_POS: above,
        Rounding.TIES_EVEN: below if below % 2 == 0 else above,
    }[mode]


def brought(values: list[int], fmt: IntFormat, mode: Overflow) -> list[int]:
    """Overflow by numpy: remainders for wrap, ``clip`` for saturate."""
    array = np.array(values)
    full = -(2 ** (fmt.bits - 1)) if fmt.signed else 0
    if mode is Overflow.WRAP:
        return ((array - full) % 2**fmt.bits + full).tolist()
    high = full + 2**fmt.bits - 1
    return np.clip(array, full + 1 if fmt.narrow else full, high).tolist()


@pytest.mark.parametrize("mode", Rounding)
def test_shift_round(mode):
    for value, shift in product(range(-128, 256), range(11)):
        assert shift_round(value, shift, mode) == rounded(Fraction(value, 2**shift), mode), (
            value,
            shift,
        )


@pytest.mark.slow
@pytest.mark.parametrize("mode", Rounding)
def test_shift_round_16_bits(mode):
    for shift in range(17):
        for value in range(-(1 << 15), 1 << 16):
            expected = rounded(Fraction(value, 2**shift), mode)
            assert shift_round(value, shift, mode) == expected, (value, shift)


@unhurried
@given(st.integers(-(2**62), 2**62), st.integers(0, 70), st.sampled_from(Rounding))
def test_shift_round_wide(value, shift, mode):
    assert shift_round(value, shift, mode) == rounded(Fraction(value, 2**shift), mode)


@pytest.mark.parametrize("mode", Rounding)
def test_negative_shift(mode):
    with pytest.raises(ConfigError, match=r"^shift must be at least 0, not -1$"):
        shift_round(1, -1, mode)


def check_requantize(mode, multipliers, shifts, targets):
    accumulators = range(-128, 128)
    for multiplier, shift in product(multipliers, shifts):
        scaled = [rounded(Fraction(a * multiplier, 2**shift), mode) for a in accumulators]
        for relu, (fmt, zero_point), how in product((False, True), targets, Overflow):
            kept = [v if v > 0 or not relu else 0 for v in scaled]
            expected = brought([v + zero_point for v in kept], fmt, how)
            apply = partial(
                requantize,
                multiplier=multiplier,
                shift=shift,
                zero_point=zero_point,
                fmt=fmt,
                rounding=mode,
                mode=how,
                relu=relu,
            )
            assert list(map(apply, accumulators)) == expected, (multiplier, shift, apply.keywords)


@pytest.mark.parametrize("mode", Rounding)
def test_requantize(mode):
    targets = [
        (IntFormat.parse(text), zero_point)
        for text, zero_points in {
            "uint8": (0, 77, 255),
            "int8": (-128, 0, 127),
            "int8n": (0,),
            "uint5": (16,),
            "int4": (3,),
            "int3n": (-3,),
            "int2n": (1,),
            "uint1": (0, 1),
            "int1": (-1,),
        }.items()
        for zero_point in zero_points
    ]
    check_requantize(mode, (0, 1, 255), range(17), targets)


@pytest.mark.slow
@pytest.mark.parametrize("mode", Rounding)
def test_requantize_every_format(mode):
    targets = [(f, z) for f in FORMATS for z in sorted({f.min, (f.min + f.max) // 2, 0, f.max})]
    check_requantize(mode, (0, 1, 2, 77, 128, 255), range(18), targets)


@pytest.mark.parametrize("mode", Rounding)
@pytest.mark.parametrize(("offset", "below"), [(0, -5), (9, 3), (-40, 200), (7, -7)])
def test_offsets_on_either_side_of_zero(mode, offset, below):
    """And clamps, on every 8-bit accumulator."""
    int8, uint5 = IntFormat.parse("int8"), IntFormat.parse("uint5")
    for shift, fmt, zero, clamp in product(
        (0, 1, 3, 6), (int8, uint5), (0, 3), ((0, 3), (5, 5), None)
    ):
        for a, relu in product(range(-128, 128), (False, True)):
            exact = Fraction(11 * a + offset + (below if a < 0 else 0), 2**shift)
            value = rounded(exact, mode)
            value = (max(value, 0) if relu else value) + zero
            low, high = clamp or (fmt.min, fmt.max)
            expected = min(max(value, low), high)
            found = requantize(
                a,
                multiplier=11,
                offset=offset,
                below=below,
                shift=shift,
                zero_point=zero,
                fmt=fmt,
                rounding=mode,
                mode=Overflow.SATURATE,
                relu=relu,
                clamp=clamp,
            )
            assert found == expected, (a, shift, fmt, zero, clamp, relu)


@unhurried
@given(
    accumulator=st.integers(-(2**40), 2**40),
    multiplier=st.integers(0, 2**21),
    shift=st.integers(0, 62),
    rounding=st.sampled_from(Rounding),
    how=st.sampled_from(Overflow),
    relu=st.booleans(),
    bits=st.integers(1, 40),
    signed=st.booleans(),
    data=st.data(),
)
def test_requantize_wide(accumulator, multiplier, shift, rounding, how, relu, bits, signed, data):
    fmt = IntFormat(bits=bits, signed=signed)
    zero_point = data.draw(st.integers(fmt.min, fmt.max))
    real = rounded(Fraction(accumulator * multiplier, 2**shift), rounding)
    expected = brought([(max(real, 0) if relu else real) + zero_point], fmt, how)
    assert [
        requantize(
            accumulator,
            multiplier=multiplier,
            shift=shift,
            zero_point=zero_point,
            fmt=fmt,
            rounding=rounding,
            mode=how,
            relu=relu,
        )
    ] == expected


products = st.lists(st.integers(-300, 300), max_size=40)
beats = st.integers(1, 45)
int8 = IntFormat(bits=8, signed=True)
starts = st.integers(int8.min, int8.max)
formats = st.builds(IntFormat, bits=st.integers(2, 20), signed=st.just(True))
modes = st.sampled_from(AccumulatorMode)


@unhurried
@given(products, st.integers(-1000, 1000), beats, modes)
def test_accumulate_without_overflow_is_the_sum(terms, start, simd, mode):
    fmt = IntFormat(bits=20, signed=True)
    result = accumulate(terms, start=start, simd=simd, fmt=fmt, mode=mode)
    assert result == (start + sum(terms), 0)


@unhurried
@given(products, starts, beats, formats)
def test_wrap_does_not_depend_on_folding(terms, start, simd, fmt):
    accumulator, _ = accumulate(terms, start=wrap(start, fmt), simd=simd, fmt=fmt, mode=WRAP)
    assert [accumulator] == brought([wrap(start, fmt) + sum(terms)], fmt, Overflow.WRAP)


@unhurried
@given(products, starts, modes)
def test_one_beat(terms, start, mode):
    how = Overflow.SATURATE if mode is SATURATE else Overflow.WRAP
    exact = start + sum(terms)
    accumulator, overflows = accumulate(
        terms, start=start, simd=len(terms) + 1, fmt=int8, mode=mode
    )
    assert [accumulator] == brought([exact], int8, how)
    assert overflows == (exact not in range(-128, 128))


@unhurried
@given(products, products, starts, beats, modes)
def test_beats_follow_each_other(first, second, start, simd, mode):
    first = first[: len(first) // simd * simd]
    run = partial(accumulate, simd=simd, fmt=int8, mode=mode)
    between, early = run(first, start=start)
    end, late = run(second, start=between)
    assert run(first + second, start=start) == (end, early + late)


@unhurried
@given(st.lists(st.integers(0, 300), max_size=40), starts, beats, st.booleans())
def test_saturate_of_one_sign_stops_at_the_limit(terms, start, simd, negative):
    terms = [-t for t in terms] if negative else terms
    accumulator, _ = accumulate(terms, start=start, simd=simd, fmt=int8, mode=SATURATE)
    assert accumulator == saturate(start + sum(terms), int8)


@unhurried
@given(products, starts, beats, st.sampled_from([WRAP, SATURATE]))
def test_overflows_are_counted_where_a_partial_sum_leaves(terms, start, simd, mode):
    _, overflows = accumulate(terms, start=start, simd=simd, fmt=int8, mode=mode)
    partial_sums = [start + sum(terms[:end]) for end in range(simd, len(terms) + simd, simd)]
    assert (overflows == 0) is all(-128 <= value <= 127 for value in partial_sums)
    assert overflows <= -(-len(terms) // simd)


@pytest.mark.parametrize(
    ("simd", "mode", "expected"),
    [
        (1, SATURATE, (-3, 1)),  # 120, 210 -> 127, 27, -13, -3
        (2, SATURATE, (-3, 1)),  # 210 -> 127, -13, -3
        (3, SATURATE, (80, 0)),  # 110, 80
        (1, WRAP, (80, 2)),  # 120, 210 -> -46, -146 -> 110, 70, 80
        (2, WRAP, (80, 2)),  # 210 -> -46, -186 -> 70, 80
        (3, WRAP, (80, 0)),
    ],
)
def test_by_hand(simd, mode, expected):
    assert accumulate([100, 90, -100, -40, 10], start=20, simd=simd, fmt=int8, mode=mode) == (
        expected
    )


def test_no_products():
    assert accumulate(iter(()), start=-7, simd=3, fmt=int8, mode=WIDE) == (-7, 0)
