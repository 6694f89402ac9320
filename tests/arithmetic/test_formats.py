"""Formats against sets of integers read off bit patterns."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from fxsim.arithmetic.formats import MAX_BITS, AccumulatorMode, IntFormat, Overflow, Rounding
from fxsim.arithmetic.integers import overflow, saturate, wrap
from fxsim.errors import ConfigError

FORMATS = [
    IntFormat(bits=bits, signed=signed, narrow=narrow)
    for bits in range(1, 9)
    for signed, narrow in ((False, False), (True, False), (True, True))
    if bits >= 2 or not narrow
]
VALUES = range(-1024, 1025)


def members(fmt: IntFormat) -> list[int]:
    """Every integer of the format, from what each bit pattern stands for."""
    patterns = [[pattern >> i & 1 for i in range(fmt.bits)] for pattern in range(2**fmt.bits)]
    weights = [2**i for i in range(fmt.bits)]
    if fmt.signed:
        weights[-1] = -weights[-1]
    values = sorted(sum(b * w for b, w in zip(bits, weights, strict=True)) for bits in patterns)
    return values[1:] if fmt.narrow else values


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_range(fmt):
    values = members(fmt)
    assert (fmt.min, fmt.max) == (values[0], values[-1])
    assert [v for v in VALUES if fmt.holds(v)] == values
    for low in range(fmt.min - 2, fmt.max + 3, 7):
        for high in range(low, fmt.max + 3, 5):
            assert fmt.holds(low, high) is (set(range(low, high + 1)) <= set(values))


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_wrap(fmt):
    full = members(dataclasses.replace(fmt, narrow=False))
    by_residue = {value % 2**fmt.bits: value for value in full}
    assert len(by_residue) == 2**fmt.bits
    for value in VALUES:
        expected = by_residue[value % 2**fmt.bits]
        assert wrap(value, fmt) == overflow(value, fmt, Overflow.WRAP) == expected


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_saturate(fmt):
    values = np.array(members(fmt))
    nearest = np.abs(np.array(VALUES)[:, None] - values).argmin(axis=1)
    for value, expected in zip(VALUES, values[nearest].tolist(), strict=True):
        assert saturate(value, fmt) == overflow(value, fmt, Overflow.SATURATE) == expected


def test_widest():
    assert IntFormat(bits=62, signed=True).min == -2305843009213693952
    assert IntFormat(bits=62, signed=True).max == 2305843009213693951
    assert IntFormat(bits=62, signed=False).max == 4611686018427387903


def test_modes():
    assert [str(mode) for mode in Rounding] == [
        "floor",
        "to_zero",
        "ties_away",
        "ties_pos",
        "ties_even",
    ]
    assert [str(mode) for mode in Overflow] == ["wrap", "saturate"]
    assert [str(mode) for mode in AccumulatorMode] == ["wide", "wrap", "saturate"]


@pytest.mark.parametrize("signed", [None, False, True])
def test_spanning(signed):
    ranges = {fmt: set(members(fmt)) for fmt in FORMATS if not fmt.narrow}
    for low in range(-70, 71):
        for high in range(low, 71):
            if low < 0 and signed is False:
                continue
            sign = low < 0 if signed is None else signed
            fits = [f for f, held in ranges.items() if f.signed == sign and {low, high} <= held]
            assert IntFormat.spanning(low, high, signed=signed) == min(fits, key=lambda f: f.bits)


def test_spanning_limits():
    assert IntFormat.spanning(-(2**61), 2**61 - 1).bits == 62
    assert IntFormat.spanning(0, 2**62 - 1).bits == 62
    with pytest.raises(ConfigError, match=r"^bits must be an integer from 1 to 62, not 63$"):
        IntFormat.spanning(-(2**61) - 1, 0)
    message = "^low must be at least 0 for an unsigned format, not -1$"
    with pytest.raises(ConfigError, match=message):
        IntFormat.spanning(-1, 3, signed=False)


def test_for_levels():
    for levels in range(3, 256, 2):
        fits = [f for f in FORMATS if f.narrow and len(members(f)) >= levels]
        assert IntFormat.for_levels(levels) == min(fits, key=lambda f: f.bits)
    assert str(IntFormat.for_levels(65535)) == "int16n"
    for levels in (-1, 0, 1, 2, 4, 256):
        with pytest.raises(ConfigError, match=f"^levels must be odd and at least 3, not {levels}$"):
            IntFormat.for_levels(levels)


def test_text():
    texts = []
    for bits in range(1, MAX_BITS + 1):
        for signed, narrow in ((False, False), (True, False), (True, True)):
            if bits >= 2 or not narrow:
                fmt = IntFormat(bits=bits, signed=signed, narrow=narrow)
                texts.append(str(fmt))
                assert IntFormat.parse(str(fmt)) == fmt
    assert len(set(texts)) == len(texts) == 3 * MAX_BITS - 1
    assert (texts[0], texts[21], texts[22]) == ("uint1", "int8", "int8n")


@pytest.mark.parametrize(
    "text",
    ["", "8", "u8", "u", "int", "uint", "int08", "int8nn", "nint8", "uuint8", "INT8", "int8 ",
     " int8", "int8\n", "int-8", "int+8", "int8.0", "int100", "uintint8", "int²", "int٣", "intn"],
)  # fmt: skip
def test_bad_text(text):
    message = f"format must look like int8, uint8 or int8n, not {text!r}"
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        IntFormat.parse(text)


@pytest.mark.parametrize("bits", [0, -1, 63, 8.0, True, "8", None])
def test_bad_bits(bits):
    message = f"bits must be an integer from 1 to 62, not {bits!r}"
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        IntFormat(bits=bits, signed=True)


@pytest.mark.parametrize(("bits", "signed", "text"), [(8, False, "uint8n"), (1, True, "int1n")])
def test_bad_narrow(bits, signed, text):
    message = f"^narrow must be used with signed formats of 2 bits or more, not {text}$"
    with pytest.raises(ConfigError, match=message):
        IntFormat(bits=bits, signed=signed, narrow=True)
    with pytest.raises(ConfigError, match=message):
        IntFormat.parse(text)
