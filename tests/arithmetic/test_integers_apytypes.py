"""Rounding and overflow against APyTypes, an independent fixed-point library."""

from __future__ import annotations

from itertools import product

import pytest
from apytypes import APyFixedArray, OverflowMode, QuantizationMode

from fxsim.arithmetic.formats import IntFormat, Overflow, Rounding
from fxsim.arithmetic.integers import overflow, shift_round

ROUNDINGS = {
    Rounding.FLOOR: QuantizationMode.TO_NEG,
    Rounding.TO_ZERO: QuantizationMode.TO_ZERO,
    Rounding.TIES_AWAY: QuantizationMode.TIES_AWAY,
    Rounding.TIES_POS: QuantizationMode.TIES_POS,
    Rounding.TIES_EVEN: QuantizationMode.TIES_EVEN,
}
OVERFLOWS = {Overflow.WRAP: OverflowMode.WRAP, Overflow.SATURATE: OverflowMode.SAT}
VALUES = list(range(-128, 256))  # every 8-bit integer, signed and unsigned


def patterns(integers, bits):
    return [integer % 2**bits for integer in integers]


@pytest.mark.parametrize("rounding", Rounding)
def test_cast(rounding):
    for shift in range(11):
        source = APyFixedArray(patterns(VALUES, 9), bits=9, frac_bits=shift)
        rounded = [shift_round(value, shift, rounding) for value in VALUES]
        for bits, how in product(range(1, 11), Overflow):
            cast = source.cast(
                bits=bits,
                frac_bits=0,
                quantization=ROUNDINGS[rounding],
                overflow=OVERFLOWS[how],
            )
            fmt = IntFormat(bits=bits, signed=True)
            ours = [overflow(value, fmt, how) for value in rounded]
            assert patterns(ours, bits) == cast.to_bits(), (shift, bits, how)


def test_every_mode_is_compared():
    assert set(ROUNDINGS) == set(Rounding)
    assert set(OVERFLOWS) == set(Overflow)
    assert len(set(ROUNDINGS.values())) == len(ROUNDINGS)
