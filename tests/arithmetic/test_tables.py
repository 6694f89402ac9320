"""Tables of sigmoid and tanh: against 50-digit arithmetic, symmetric, monotonic."""

from __future__ import annotations

import re
from decimal import Decimal, localcontext
from fractions import Fraction

import pytest

from fxsim.arithmetic.formats import IntFormat
from fxsim.arithmetic.tables import Nonlinearity, Table, build_table
from fxsim.errors import RangeError


def exact(function: Nonlinearity, x: Fraction) -> Fraction:
    """The function to 50 digits."""
    with localcontext() as context:
        context.prec = 50
        power = (Decimal(-x.numerator) / Decimal(x.denominator)).exp()
        if function is Nonlinearity.SIGMOID:
            return Fraction(1 / (1 + power))
        return Fraction((1 - power * power) / (1 + power * power))


@pytest.mark.parametrize("function", Nonlinearity)
@pytest.mark.parametrize(("bits", "input_bits", "fraction"), [(8, 10, 6), (5, 6, 2), (12, 12, 8)])
def test_every_value_is_nearest(function, bits: int, input_bits: int, fraction: int) -> None:
    table = build_table(function, bits=bits, input_bits=input_bits, input_fraction=fraction)
    top = (1 << bits) - 1
    bottom = 1 if function is Nonlinearity.SIGMOID else -top
    for value in range(table.input.min, table.input.max + 1):
        real = exact(function, Fraction(value, 1 << fraction)) * (1 << bits)
        error = abs(table(value) - min(max(real, bottom), top))
        assert error <= Fraction(1, 2), value


@pytest.mark.parametrize("function", Nonlinearity)
@pytest.mark.parametrize("step_bits", [0, 1, 2, 3])
def test_symmetry_order_and_range(function, step_bits: int) -> None:
    table = build_table(function, bits=8, input_bits=9, input_fraction=5, step_bits=step_bits)
    results = table.expand()
    assert results == sorted(results)
    total = 1 << 8 if function is Nonlinearity.SIGMOID else 0
    for value in range(1, table.input.max + 1):
        assert table(value) + table(-value) == total
        assert table.output.holds(table(value))
        assert table.output.holds(table(-value))
    assert len(table.values) == (256 >> step_bits) + (step_bits > 0)


def test_interpolation_is_linear_between_stored_values() -> None:
    table = build_table(Nonlinearity.TANH, bits=10, input_bits=8, input_fraction=4, step_bits=3)
    for value in range(table.input.max + 1):
        low, high = table.values[value >> 3], table.values[(value >> 3) + 1]
        real = low + Fraction((high - low) * (value & 7), 8)
        assert abs(table(value) - real) <= Fraction(1, 2)
    assert table(8) == table.values[1]


GOOD = build_table(Nonlinearity.TANH, bits=4, input_bits=4, input_fraction=2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": GOOD.values[:-1]}, "values must have 8 entries, not 7"),
        ({"values": (16, *GOOD.values[1:])}, "values[0] must be from 0 to 15, not 16"),
        ({"values": (5, 4, *GOOD.values[2:])}, "values must not fall"),
        ({"bits": 1}, "bits must be from 2 to 16, not 1"),
        ({"step_bits": 3}, "step_bits must be from 0 to 2, not 3"),
        (
            {"input": IntFormat(bits=4, signed=True)},
            "input must be signed, narrow and at most 16 bits, not int4",
        ),
    ],
)
def test_bad_tables_are_refused(change, message: str) -> None:
    facts = {name: getattr(GOOD, name) for name in GOOD.__dataclass_fields__}
    with pytest.raises(RangeError, match=f"^{re.escape(message)}$"):
        Table(**{**facts, **change})
