"""Samples and activations: real values -> integers of a format.

A real value that was stored in a floating-point type is known to the precision of that type only:
the number nearest to k * scale may lie a hair below it, and floor would take it to k - 1. A value
that lies within the precision of its type of a grid point, or half way between two, therefore
counts as that point (``docs/arithmetic.md``, "Inputs").
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from fxsim.arithmetic.formats import Overflow, Rounding
from fxsim.network import Activation, FloatArray, IntArray
from fxsim.quantizer.weight import round_real

_BELOW_HALF = math.nextafter(0.5, 0.0)
_DOUBLE = np.finfo(np.float64)
_COMPUTED = 4 * float(_DOUBLE.eps)
"""Precision of quotients whose terms were computed in float64 in a few operations."""


def precision(dtype: npt.DTypeLike) -> tuple[float, float]:
    """Relative precision of a type, at least that of float64, and the absolute one near 0.

    The machine epsilon, which is 2**-10 for float16, 2**-23 for float32 and 2**-52 for float64,
    and the least positive number.
    """
    dtype = np.dtype(dtype)
    found: Any = np.finfo(dtype) if dtype.kind == "f" else _DOUBLE
    least = max(float(found.smallest_subnormal), float(_DOUBLE.smallest_subnormal))
    return max(float(found.eps), float(_DOUBLE.eps)), least


def grid_ratio(real: npt.NDArray[Any], scale: float) -> FloatArray:
    """``real / scale``, on the grid where ``real`` is within the precision of its type of it.

    Returns
    -------
    float64 array
        A whole number where one is near enough, else a half of an odd one where that is, else the
        quotient.
    """
    relative, least = precision(real.dtype)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        ratio: FloatArray = real.astype(np.float64)
        ratio /= scale
        tolerance = np.abs(ratio)
        tolerance *= relative
        np.maximum(tolerance, least / scale, out=tolerance)
        whole = np.rint(ratio)
        rest = ratio - whole  # exact
        distance = np.abs(rest)
        on_grid = distance <= tolerance
        tie = np.flatnonzero(~on_grid & (distance + tolerance >= 0.5))
        np.copyto(ratio, whole, where=on_grid)
        ratio.flat[tie] = whole.flat[tie] + np.copysign(0.5, rest.flat[tie])
    return ratio


def round_in_place(value: FloatArray, rounding: Rounding) -> None:
    """`round_real` without the way to integers, which takes most of its time."""
    match rounding:
        case Rounding.FLOOR:
            np.floor(value, out=value)
        case Rounding.TO_ZERO:
            np.trunc(value, out=value)
        case Rounding.TIES_EVEN:
            np.rint(value, out=value)
        case Rounding.TIES_AWAY:
            # The greatest number below a half: 0.5 is rounded up by the addition, what is less not.
            value += np.copysign(_BELOW_HALF, value)
            np.trunc(value, out=value)
        case Rounding.TIES_POS:
            value[...] = round_real(value, rounding)


def onto_grid(ratio: FloatArray, rounding: Rounding) -> None:
    """Put float64 quotients a hair short of a grid point onto it, or a hair past it, in place.

    For the modes that would drop a whole step; `round_in_place` then rounds as after `grid_ratio`.
    Others are left as they are: near a tie either neighbour is as far away.
    """
    if rounding is Rounding.FLOOR:
        ratio += _COMPUTED * np.abs(ratio)
    elif rounding is Rounding.TO_ZERO:
        ratio += _COMPUTED * ratio


def integers(
    real: npt.NDArray[Any],
    activation: Activation,
    rounding: Rounding,
    overflow: Overflow = Overflow.SATURATE,
) -> IntArray:
    """Round real values, of whatever precision their type has, to an activation format."""
    fmt, zero = activation.format, activation.zero_point
    ratio = grid_ratio(real, activation.scale)
    if overflow is Overflow.SATURATE:
        ratio = np.clip(ratio, fmt.min - zero, fmt.max - zero)
    else:  # exact, and rounded alike: whole turns of the format are even and keep the sign
        ratio = np.fmod(ratio, 1 << fmt.bits)
    q = round_real(ratio, rounding) + zero
    return q if overflow is Overflow.SATURATE else (q - fmt.min) % (1 << fmt.bits) + fmt.min
