"""Scale of the input and of what layers yield: calibrated on samples, or as the user gives it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from fxsim.arithmetic.formats import MAX_BITS, IntFormat, Overflow, Rounding
from fxsim.arithmetic.tensors import SampleArray
from fxsim.errors import RangeError, SpecError
from fxsim.network import Activation, FloatArray
from fxsim.quantizer.activation import integers, onto_grid, round_in_place
from fxsim.quantizer.remarks import remark
from fxsim.spec.formats import InputSpec, OutputSpec, ProjectedSpec
from fxsim.spec.scale import Percentile, Range, ScaleChoice
from fxsim.spec.specification import RequantizeSpec

_FRACTIONS = np.arange(64, 1, -1) / 64
"""Output scales that calibration tries, as fractions of the one that just avoids clipping. They
are exact, for the same scale on every machine; so is everything else here but sums of errors."""

_HALVINGS = np.ldexp(1.0, -np.arange(6))
"""Fractions that calibration tries where scales are powers of two."""

_TINY = float(np.finfo(np.float64).tiny)
"""Least scale of an output; what is smaller is as good as 0."""

_VALUES = 1 << 18
"""About as many values of images as a scale is calibrated on at most."""


def input_activation(name: str, wanted: InputSpec, samples: SampleArray) -> Activation:
    """Format and scale of an input of a network.

    Raises
    ------
    SpecError
        If samples lie below the range of an unsigned format.
    """
    fmt, real = wanted.format, samples.astype(np.float64)
    scale = given_scale(wanted.scale, fmt, real, f"{name}.scale")
    if scale is None:
        scale = float(np.abs(real).max()) / max(fmt.max, 1) or 1.0
        if wanted.scale == "power_of_two":  # both ends count: int8 reaches -128
            low, high = float(real.min()), float(real.max())
            scale = max(high / max(fmt.max, 1), low / fmt.min if fmt.min else 0.0) or 1.0
            scale = ceiling(scale)
    least = float(real.min())
    if not fmt.signed and least < -scale / 2:
        raise SpecError(f"{name} must be signed: calibration has values down to {least:g}")
    found = Activation(format=fmt, scale=scale)
    remark(name, name, wanted.scale, real, found, "are refused")
    return found


def calibrated_output(
    name: str,
    real: FloatArray,
    wanted: OutputSpec | ProjectedSpec,
    requantize: RequantizeSpec,
    rounding: Rounding,
    unit: FloatArray,
) -> Activation:
    """Output format with the scale that is wanted: of least squared error unless it is given.

    Parameters
    ----------
    name : str
        Of the product or add, for messages.
    real : float64 array, shape (n, outputs)
        What the layer yields for calibration samples, before it is rounded.
    wanted : OutputSpec or ProjectedSpec
    requantize : RequantizeSpec
    rounding : Rounding
    unit : float64 array
        Real value of 1 in the accumulator, for plain shifts.

    Raises
    ------
    SpecError
        If the scale cannot be had: a percentile of 0, or one that is no shift of the accumulator.
    """
    fmt = wanted.format
    # An odd step meets every channel; images have more values than a scale needs.
    real = real[:: max(1, real.size // _VALUES) | 1]
    given = given_scale(wanted.scale, fmt, real, f"{name}: output.scale")
    scales: FloatArray
    if requantize.multiplier_bits == 0:
        scales = _shifted(wanted.scale, given, float(unit[0]), f"{name}: output.scale")
    elif given is not None:
        scales = np.array([given])
    else:
        greatest = float(np.abs(real).max())  # nothing above 0 tells more than nothing at all
        peak = greatest if fmt.signed or real.max() <= 0 else float(real.max())
        scale = max(peak / max(fmt.max, 1), _TINY) if peak > 0 else 1.0
        power = wanted.scale == "power_of_two"
        scales = np.float64(ceiling(scale)) * _HALVINGS if power else scale * _FRACTIONS
    best = scales[0]
    if len(scales) > 1:
        best = min(map(float, scales), key=_error_of(real, fmt, requantize.overflow, rounding))
    found = Activation(format=fmt, scale=float(best))
    cut = "wrap around" if requantize.overflow is Overflow.WRAP else "become 0"
    remark(name, "output", wanted.scale, real, found, cut)
    return found


def given_scale(choice: ScaleChoice, fmt: IntFormat, real: FloatArray, what: str) -> float | None:
    """Scale of a choice that leaves nothing to search; None where calibration searches.

    Raises
    ------
    SpecError
        If the percentile is 0, though some value is not.
    """
    match choice:
        case float():
            return choice
        case Range(range=(low, high)):
            found = max(high / max(fmt.max, 1), low / fmt.min if fmt.min else 0.0)
            if found < _TINY:
                raise SpecError(f"{what}: range must be wider than {low:g} to {high:g}")
            return found
        case Percentile(percentile=percentile):
            seen = np.abs(real) if fmt.signed else np.maximum(real, 0.0)
            reach = float(np.percentile(seen, percentile))
            if reach > 0:
                return reach / max(fmt.max, 1)
            raise SpecError(
                f"{what}: percentile must be greater than {percentile:g}, below which all"
                " calibration values are 0"
            )
        case _:
            return None


def ceiling(scale: float) -> float:
    """The least power of two that is not below ``scale``."""
    mantissa, exponent = math.frexp(scale)
    exponent -= mantissa == 0.5
    if exponent >= 1024:
        raise RangeError(f"scale must be at most 2**1023 as a power of two, not {scale:g}")
    return math.ldexp(1.0, exponent)


def _shifted(choice: ScaleChoice, given: float | None, unit: float, what: str) -> FloatArray:
    """Scales to try where the requantizer is a shift: the unit of the accumulator, doubled."""
    scales: FloatArray = np.ldexp(unit, np.arange(MAX_BITS + 1))
    if choice == "power_of_two" and math.frexp(unit)[0] != 0.5:
        raise SpecError(
            f"{what} must be left to calibration with a plain shift (multiplier_bits: 0): the unit"
            f" of the accumulator, {unit:.6g}, is no power of two; an input.scale that is one helps"
        )
    if given is None:
        return scales
    if isinstance(choice, float):
        if given not in scales:
            near = scales[np.abs(np.log2(scales / given)).argmin()]
            raise SpecError(
                f"{what} must be {unit!r}, the unit of the accumulator, times a power of two with a"
                f" plain shift (multiplier_bits: 0), such as {float(near)!r}, not {given!r}"
            )
        return np.array([given])
    fitting = scales[scales >= given]
    return fitting[:1] if fitting.size else scales[-1:]


def _error_of(
    real: FloatArray, fmt: IntFormat, overflow: Overflow, rounding: Rounding
) -> Callable[[float], float]:
    """Squared error of rounding ``real``, as a function of the scale."""
    space = np.empty_like(real)

    def error(scale: float) -> float:
        if overflow is Overflow.WRAP:
            q = integers(real, Activation(format=fmt, scale=scale), rounding, Overflow.WRAP)
            return float(np.square(real - scale * q).sum())
        with np.errstate(over="ignore"):
            np.divide(real, scale, out=space)
        np.clip(space, fmt.min, fmt.max, out=space)
        onto_grid(space, rounding)
        round_in_place(space, rounding)
        np.multiply(space, scale, out=space)
        np.subtract(real, space, out=space)
        return float(np.square(space, out=space).sum())

    return error
