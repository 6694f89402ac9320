"""The vocabulary of number formats: integer ranges, rounding and overflow modes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from fxsim.errors import ConfigError

MAX_BITS = 62
"""Widest format: sums and products of two such bounds are checked before they reach int64."""


class Rounding(StrEnum):
    """Treatment of the bits below the new least significant bit.

    ============  =========================================  ==================================
    mode          result for real value r                    same as
    ============  =========================================  ==================================
    FLOOR         largest integer <= r                       SC_TRN, AC_TRN, numpy ``floor``
    TO_ZERO       r without its fraction                     SC_TRN_ZERO, C cast
    TIES_AWAY     nearest, ties away from zero               SC_RND_INF, eq. (3) of Sung 2015
    TIES_POS      nearest, ties towards +infinity            SC_RND, ARM SQRDMULH
    TIES_EVEN     nearest, ties to the even integer          SC_RND_CONV, numpy ``rint``
    ============  =========================================  ==================================
    """

    FLOOR = "floor"
    TO_ZERO = "to_zero"
    TIES_AWAY = "ties_away"
    TIES_POS = "ties_pos"
    TIES_EVEN = "ties_even"


class Overflow(StrEnum):
    """Treatment of a value outside its format: high bits dropped, or clamped to the range."""

    WRAP = "wrap"
    SATURATE = "saturate"


class AccumulatorMode(StrEnum):
    """How an accumulator treats overflow.

    WIDE is as wide as the actual weights need, so overflow cannot happen; WRAP drops high bits and
    SATURATE clamps, both after each beat of ``simd`` products.
    """

    WIDE = "wide"
    WRAP = "wrap"
    SATURATE = "saturate"


class MemoryStyle(StrEnum):
    """Cells of the weight memory: the choice of the synthesis tool, block RAM, or LUTs."""

    AUTO = "auto"
    BLOCK = "block"
    DISTRIBUTED = "distributed"


@dataclass(frozen=True, kw_only=True, slots=True)
class IntFormat:
    """Range of an integer.

    Parameters
    ----------
    bits : int
        Word length, sign included; 1 to 62.
    signed : bool
        Two's complement when true.
    narrow : bool
        Signed only: leave out the most negative value, so that the range is symmetric.

    Raises
    ------
    ConfigError
        If ``bits`` is out of range, or ``narrow`` is asked of an unsigned or 1-bit format.
    """

    bits: int
    signed: bool
    narrow: bool = False

    def __post_init__(self) -> None:
        if type(self.bits) is not int or not 1 <= self.bits <= MAX_BITS:
            raise ConfigError(f"bits must be an integer from 1 to {MAX_BITS}, not {self.bits!r}")
        if self.narrow and (not self.signed or self.bits < 2):
            raise ConfigError(
                f"narrow must be used with signed formats of 2 bits or more, not {self}"
            )

    @property
    def min(self) -> int:
        """Smallest integer of the format."""
        return -(1 << (self.bits - 1)) + self.narrow if self.signed else 0

    @property
    def max(self) -> int:
        """Largest integer of the format."""
        return (1 << (self.bits - self.signed)) - 1

    def holds(self, low: int, high: int | None = None) -> bool:
        """True if every integer from ``low`` to ``high`` (default: ``low`` alone) is in range."""
        return self.min <= low and (low if high is None else high) <= self.max

    @classmethod
    def spanning(cls, low: int, high: int, *, signed: bool | None = None) -> IntFormat:
        """Smallest format that holds ``low`` .. ``high``; signed where ``low`` < 0 or as asked.

        Raises
        ------
        ConfigError
            If it needs more than 62 bits, or ``low`` is negative and ``signed`` is false.
        """
        signed = low < 0 if signed is None else signed
        if low < 0 and not signed:
            raise ConfigError(f"low must be at least 0 for an unsigned format, not {low}")
        magnitude = max(high, -low - 1, 0)
        return cls(bits=max(magnitude.bit_length() + signed, 1), signed=signed)

    @classmethod
    def for_levels(cls, levels: int) -> IntFormat:
        """Smallest symmetric format with ``levels`` (odd, 3 or more) quantization levels."""
        if levels < 3 or levels % 2 == 0:
            raise ConfigError(f"levels must be odd and at least 3, not {levels}")
        return cls(bits=(levels // 2).bit_length() + 1, signed=True, narrow=True)

    def __str__(self) -> str:
        return f"{'int' if self.signed else 'uint'}{self.bits}{'n' if self.narrow else ''}"

    @classmethod
    def parse(cls, text: str) -> IntFormat:
        """Inverse of ``str``: ``int8``, ``uint8``, ``int8n`` (narrow)."""
        digits = text.removeprefix("u").removeprefix("int").removesuffix("n")
        if not digits.isascii() or not digits.isdecimal() or len(digits) > 2:
            raise ConfigError(f"format must look like int8, uint8 or int8n, not {text!r}")
        parsed = cls(bits=int(digits), signed=not text.startswith("u"), narrow=text.endswith("n"))
        if str(parsed) != text:
            raise ConfigError(f"format must look like int8, uint8 or int8n, not {text!r}")
        return parsed
