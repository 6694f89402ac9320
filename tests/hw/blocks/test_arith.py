"""Rounding and saturation on hardware values against exact fractions, exhaustively for 8 bits."""

import math
from fractions import Fraction

import pytest
from amaranth.hdl import Const, Module, Signal, signed, unsigned
from amaranth.sim import Simulator

from fxsim.arithmetic.formats import Rounding
from fxsim.errors import ConfigError
from fxsim.hw.blocks.arith import (
    bounds_of,
    equals,
    exceeds,
    fits,
    saturate,
    shape_spanning,
    shift_round,
)

SHAPES = [signed(8), unsigned(8)]


def rounded(value, rounding):
    """Round a Fraction, from the definition of each mode."""
    floor = math.floor(value)
    if rounding is Rounding.FLOOR:
        return floor
    if rounding is Rounding.TO_ZERO:
        return math.trunc(value)
    if value - floor != Fraction(1, 2):
        return math.floor(value + Fraction(1, 2))
    up = {
        Rounding.TIES_AWAY: value > 0,
        Rounding.TIES_POS: True,
        Rounding.TIES_EVEN: floor % 2 == 1,
    }
    return floor + up[rounding]


def check(shape, functions):
    """Compare pairs (expression, Python function) for every integer of ``shape``, at once."""
    source, m = Signal(shape), Module()
    outputs = []
    for build, _ in functions:
        value = build(source)
        output = Signal(value.shape())
        m.d.comb += output.eq(value)
        outputs.append(output)
    low, high = bounds_of(shape)

    async def bench(ctx):
        for integer in range(low, high + 1):
            ctx.set(source, integer)
            got = [ctx.get(output) for output in outputs]
            assert got == [function(integer) for _, function in functions], integer

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("shape", SHAPES)
def test_shift_round(shape):
    check(
        shape,
        [
            (
                lambda value, s=shift, r=rounding: shift_round(value, s, r),
                lambda integer, s=shift, r=rounding: rounded(Fraction(integer, 2**s), r),
            )
            for rounding in Rounding
            for shift in range(10)
        ],
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_shift_round_shape(shape):
    value = Signal(shape)
    assert shift_round(value, 0, Rounding.TIES_EVEN).shape() == shape
    assert shift_round(value, 3, Rounding.TO_ZERO).shape() == type(shape)(5, shape.signed)
    assert shift_round(value, 3, Rounding.TIES_AWAY).shape() == type(shape)(6, shape.signed)


@pytest.mark.parametrize("shape", SHAPES)
def test_saturate(shape):
    ranges = [(-128, 127), (0, 255), (-7, 7), (-8, 7), (0, 15), (0, 1), (-1, 0), (3, 10), (0, 0)]
    ranges += [(-512, 511), (-20, -3), (0, 1023)]
    check(
        shape,
        [
            (
                lambda value, low=low, high=high: saturate(value, low, high),
                lambda integer, low=low, high=high: min(max(integer, low), high),
            )
            for low, high in ranges
        ],
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_fits(shape):
    check(
        shape,
        [
            (
                lambda value, b=bits, s=is_signed: fits(value, b, s),
                lambda integer, b=bits, s=is_signed: -(1 << b - 1) * s <= integer < (1 << b - s),
            )
            for bits in range(1, 11)
            for is_signed in (False, True)
        ],
    )


def test_shape_of():
    assert shape_spanning(-128, 127) == signed(8)
    assert shape_spanning(-127, 128) == signed(9)
    assert shape_spanning(0, 255) == unsigned(8)
    assert shape_spanning(0, 0) == unsigned(1)
    assert shape_spanning(-1, 0) == signed(1)
    assert saturate(Signal(signed(9)), 0, 255).shape() == unsigned(8)


def test_errors():
    with pytest.raises(ConfigError, match=r"^shift must be at least 0, not -1$"):
        shift_round(Const(1), -1, Rounding.FLOOR)
    with pytest.raises(ConfigError, match=r"^bits must be at least 1, not 0$"):
        fits(Const(1), 0, True)
    with pytest.raises(ConfigError, match=r"^low must be at most high \(0\), not 1$"):
        saturate(Const(1), 1, 0)


def test_comparisons_with_constants():
    """Also with those at the end of the range and beyond it."""
    constants = [0, 1, 127, 254, 255, 256, 1000]
    functions = [(lambda v, c=c: exceeds(v, c), lambda n, c=c: int(n > c)) for c in constants]
    functions += [(lambda v, c=c: equals(v, c), lambda n, c=c: int(n == c)) for c in constants[:5]]
    check(unsigned(8), functions)
