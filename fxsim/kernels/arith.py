"""`fxsim.arithmetic.integers` on int64, for other kernels; modes are plain integers here."""

from __future__ import annotations

from fxsim.arithmetic.formats import Rounding
from fxsim.kernels.jit import jit

ROUNDING_CODE = {mode: code for code, mode in enumerate(Rounding)}
_FLOOR = ROUNDING_CODE[Rounding.FLOOR]
_TO_ZERO = ROUNDING_CODE[Rounding.TO_ZERO]
_TIES_AWAY = ROUNDING_CODE[Rounding.TIES_AWAY]
_TIES_POS = ROUNDING_CODE[Rounding.TIES_POS]


@jit
def wrap(value: int, bits: int, signed: bool) -> int:
    """Low ``bits`` bits of ``value``, read as signed or unsigned."""
    low = value & ((1 << bits) - 1)
    if signed and low >> (bits - 1):
        return low - (1 << bits)
    return low


@jit
def shift_round(value: int, shift: int, rounding: int) -> int:
    """Divide by 2**shift and round; ``rounding`` from `ROUNDING_CODE`."""
    if shift == 0:
        return value
    half = 1 << (shift - 1)
    if rounding == _FLOOR:
        bump = 0
    elif rounding == _TO_ZERO:
        bump = 2 * half - 1 if value < 0 else 0
    elif rounding == _TIES_AWAY:
        bump = half - 1 if value < 0 else half
    elif rounding == _TIES_POS:
        bump = half
    else:
        bump = half - 1 + ((value >> shift) & 1)
    return (value + bump) >> shift
