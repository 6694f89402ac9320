"""Weight codes: how a weight is stored and multiplied; one file each."""

from __future__ import annotations

from fxsim.arithmetic.codes.binary import BinaryCode
from fxsim.arithmetic.codes.code import WeightCode
from fxsim.arithmetic.codes.integer import IntegerCode
from fxsim.arithmetic.codes.levels import nearest, thresholds
from fxsim.arithmetic.codes.power_of_two import FEWEST, MOST, PowerOfTwoCode
from fxsim.arithmetic.codes.ternary import TernaryCode
from fxsim.arithmetic.formats import IntFormat
from fxsim.errors import ConfigError

AnyCode = IntegerCode | TernaryCode | BinaryCode | PowerOfTwoCode
"""Every code, for a ``match`` that leaves none out."""

WITHOUT_MULTIPLIER: tuple[AnyCode, ...] = (
    TernaryCode(),
    BinaryCode(),
    *map(PowerOfTwoCode, range(FEWEST, MOST + 1)),
)

__all__ = [
    "WITHOUT_MULTIPLIER",
    "AnyCode",
    "BinaryCode",
    "IntegerCode",
    "PowerOfTwoCode",
    "TernaryCode",
    "WeightCode",
    "code_of",
    "nearest",
    "parse_code",
    "thresholds",
]


def code_of(fmt: IntFormat) -> AnyCode:
    """Code of integers of a format: ternary for ``int2n``, else two's complement."""
    return TernaryCode() if str(fmt) == str(TernaryCode()) else IntegerCode(fmt)


def parse_code(text: str) -> AnyCode:
    """Inverse of ``str``: ``int8n``, ``int2n`` (ternary), ``binary``, ``po2_4``.

    Raises
    ------
    ConfigError
        If ``text`` names no code.
    """
    for code in WITHOUT_MULTIPLIER:
        if text == str(code):
            return code
    try:
        return code_of(IntFormat.parse(text))
    except ConfigError:  # no format, or an unsigned one
        names = ", ".join(map(str, WITHOUT_MULTIPLIER[1:]))
        raise ConfigError(
            f"weight code must look like int8 or int8n, or be one of {names}, not {text!r}"
        ) from None
