"""An offset of its own below zero expresses two roundings one after the other, exactly.

The requantization of gemmlowp, which reference kernels of TFLite convolutions and CMSIS-NN have: a
saturating rounding doubling high multiply, then a rounding division by a power of two.
"""

from __future__ import annotations

from fractions import Fraction
from math import floor, trunc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxsim.arithmetic.formats import IntFormat, Overflow, Rounding
from fxsim.arithmetic.integers import requantize
from tests.strategies import unhurried

WIDE = IntFormat(bits=62, signed=True)


def doubling_high_multiply(a: int, b: int) -> int:
    """2 a b / 2**32 in C: a nudge by the sign of the product, then a division that truncates."""
    nudge = 1 << 30 if a * b >= 0 else 1 - (1 << 30)
    return trunc(Fraction(a * b + nudge, 1 << 31))


def rounding_divide(x: int, exponent: int) -> int:
    """X / 2**exponent to nearest, ties away from 0."""
    real = Fraction(x, 1 << exponent)
    return floor(real + Fraction(1, 2)) if x >= 0 else -floor(-real + Fraction(1, 2))


def twice(a: int, multiplier: int, right: int, left: int = 0) -> int:
    """Both, for a scale of multiplier / 2**31 * 2**(left - right)."""
    return rounding_divide(doubling_high_multiply(a << left, multiplier), right)


def once(a: int, multiplier: int, right: int, left: int = 0) -> int:
    """The same with one shift, by constants that depend on ``right`` only.

    Without a second shift there is one rounding, and no constant below 0 of its own; a shift to the
    left joins the multiplier.
    """
    return requantize(
        a,
        multiplier=multiplier << left,
        offset=(1 << 30 + right) + (1 << 30) if right else 1 << 30,
        below=-(1 << 31) if right else 0,
        shift=31 + right,
        zero_point=0,
        fmt=WIDE,
        rounding=Rounding.FLOOR,
        mode=Overflow.SATURATE,
        relu=False,
    )


@pytest.mark.parametrize(
    ("a", "multiplier", "right", "expected"),
    [
        (1, 1 << 30, 0, 1),  # 1/2, a tie: up
        (-1, 1 << 30, 0, 0),  # -1/2: up
        (3, 1 << 30, 1, 1),  # 3/4, by way of 2
        (-3, 1 << 30, 1, -1),  # -3/4, by way of -1 and the tie -1/2: away from 0
        (5, 1 << 30, 2, 1),  # 5/8, by way of 3
        (-6, 1 << 30, 1, -2),  # -3/2: away from 0
    ],
)
def test_by_hand(a, multiplier, right, expected):
    assert twice(a, multiplier, right) == once(a, multiplier, right) == expected


@pytest.mark.parametrize("right", range(6))
@pytest.mark.parametrize("multiplier", [1 << 30, (1 << 30) + 1, 1518500250, (1 << 31) - 1])
def test_every_small_accumulator(multiplier, right):
    accumulators = range(-600, 601)
    expected = [twice(a, multiplier, right) for a in accumulators]
    assert [once(a, multiplier, right) for a in accumulators] == expected


@unhurried
@given(
    a=st.integers(-(1 << 31), (1 << 31) - 1),
    multiplier=st.integers(1 << 30, (1 << 31) - 1),
    right=st.integers(0, 30),
)
def test_any_accumulator(a, multiplier, right):
    """But the one that saturates, the square of the least number, which is no multiplier."""
    assert once(a, multiplier, right) == twice(a, multiplier, right)


@unhurried
@given(
    a=st.integers(-(1 << 20), 1 << 20),
    multiplier=st.integers(1 << 30, (1 << 31) - 1),
    left=st.integers(1, 10),
)
def test_shifts_to_the_left(a, multiplier, left):
    """As far as the shifted accumulator fits the 32 bits that it has there."""
    assert once(a, multiplier, 0, left) == twice(a, multiplier, 0, left)


@pytest.mark.parametrize("right", range(1, 5))
def test_rounding_once_is_something_else(right):
    """So the constants matter."""
    single = [floor(Fraction(a, 2 << right) + Fraction(1, 2)) for a in range(-200, 201)]
    assert single != [twice(a, 1 << 30, right) for a in range(-200, 201)]
