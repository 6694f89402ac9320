"""Weights: real -> integers, and the scale that they share.

Symmetric weights are those of Sung et al. (2015). Asymmetric ones are those of Alvarez,
Prabhavalkar and Bakhtin (2016), "On the efficient representation and execution of deep acoustic
models": with S steps over the range of a group and Q = S / (V_max - V_min), a value V becomes
V' = round(Q V) - round(Q V_min). Both rounds are the same floor(x + 0.5), so that the zero point is
an integer, real 0 is exact, and no bias is left over; here the zero point is taken off at once.
"""

from __future__ import annotations

import numpy as np

from fxsim.arithmetic.codes import nearest
from fxsim.arithmetic.formats import Rounding
from fxsim.network import FloatArray, IntArray
from fxsim.network.lstm import GATES
from fxsim.quantizer.step_size import scale_of_levels
from fxsim.spec.specification import ProductSpec


def weight_scale(weight: FloatArray, layer: ProductSpec) -> FloatArray:
    """Scale of a weight matrix, per tensor (shape (1,)), or per channel or gate (shape (outputs,);
    equal for all rows of a gate, the weight being W or U).

    That of least squared error; with asymmetric weights `range_scale`.

    A layer that requantizes by a plain shift gets the better of the two powers of two around it
    (`fitting_scale`); the specification refuses it more than one scale.
    """
    weight = np.asarray(weight, dtype=np.float64)
    groups = groups_of(layer, len(weight))
    weights, rows = layer.weights, weight.reshape(groups, -1)
    scale = (
        range_scale(rows, weights.levels)
        if weights.asymmetric
        else scale_of_levels(rows, weights.magnitudes)
    )
    if groups > 1:
        scale = np.repeat(scale, len(weight) // groups)
    return fitting_scale(weight, scale, layer)


def fitting_scale(weight: FloatArray, scale: FloatArray, layer: ProductSpec) -> FloatArray:
    """``scale``, or the power of two near it that a layer with a plain shift must have."""
    plain_shift = layer.output is not None and layer.requantize.multiplier_bits == 0
    return power_of_two(weight, scale, layer) if plain_shift else scale


def integer_weight(weight: FloatArray, scale: FloatArray, layer: ProductSpec) -> IntArray:
    """Integers of a weight matrix by the scheme of its layer: real = scale * integer."""
    if layer.weights.asymmetric:
        groups = groups_of(layer, len(weight))
        return quantize_asymmetric(weight, scale, layer.weights.levels, groups)
    return quantize_weight(weight, scale, layer.weights.magnitudes)


def quantize_weight(weight: FloatArray, scale: FloatArray, magnitudes: IntArray) -> IntArray:
    """Nearest levels, ties away from zero: eq. (3) of Sung et al. (2015).

    Parameters
    ----------
    weight : float array, shape (outputs, inputs)
    scale : float array, shape (1,) or (outputs,)
    magnitudes : int64 array
        Those of the levels, in rising order.
    """
    with np.errstate(over="ignore"):
        ratio = np.asarray(weight, dtype=np.float64) / scale[:, None]
    return nearest(ratio, magnitudes)


def quantize_asymmetric(
    weight: FloatArray, scale: FloatArray, levels: int, groups: int
) -> IntArray:
    """Integers V' - zero_point of a weight matrix, from -(levels - 1) to levels - 1.

    V' = round(V / scale) + zero_point, clamped to 0 .. levels - 1, with the zero point of the
    group, -round(V_min / scale), clamped as well. Its range holds 0, so V_min <= 0.

    Parameters
    ----------
    weight : float array, shape (outputs, inputs)
    scale : float array, shape (1,) or (outputs,)
        Equal for all rows of a group.
    levels : int
    groups : int
        Consecutive rows share a zero point, outputs / groups of them.
    """
    top = levels - 1
    with np.errstate(over="ignore"):
        ratio = np.asarray(weight, dtype=np.float64) / scale[:, None]
    # Clipping first keeps the rounding in range and changes no result.
    nearest = round_real(np.clip(ratio, -top, top), Rounding.TIES_POS).reshape(groups, -1)
    zero = -np.minimum(nearest.min(axis=1, keepdims=True), 0)
    result: IntArray = (np.clip(nearest + zero, 0, top) - zero).reshape(weight.shape)
    return result


def range_scale(weight: FloatArray, levels: int) -> FloatArray:
    """Scale of asymmetric weights for each row (group): its range, 0 included, over the steps.

    1.0 for a group of zeros, which any scale quantizes without error; a group of equal weights has
    the range from 0 to them.

    Parameters
    ----------
    weight : float array, shape (groups, n)
    levels : int
        Number of quantization levels, one more than the steps.
    """
    weight = np.asarray(weight, dtype=np.float64)
    low, high = np.minimum(weight.min(axis=1), 0), np.maximum(weight.max(axis=1), 0)
    steps = levels - 1
    scale: FloatArray = high / steps - low / steps  # the difference first could overflow
    return np.where(scale > 0, np.maximum(scale, np.finfo(np.float64).tiny), 1.0)


def groups_of(layer: ProductSpec, outputs: int) -> int:
    """Number of groups of weights with a scale of their own, in a product of ``outputs`` rows."""
    return {"tensor": 1, "gate": len(GATES), "channel": outputs}[layer.weights.per]


def round_real(value: FloatArray, rounding: Rounding) -> IntArray:
    """Round real values below 2**63 in magnitude, with exact ties, by the table of `Rounding`."""
    whole: FloatArray = np.trunc(value)
    rest: FloatArray = value - whole  # exact, so that a tie is a tie; value + 0.5 would not be
    match rounding:
        case Rounding.FLOOR:
            step = rest < 0
        case Rounding.TO_ZERO:
            step = np.zeros_like(rest, dtype=bool)
        case Rounding.TIES_AWAY:
            step = np.abs(rest) >= 0.5
        case Rounding.TIES_POS:
            step = (rest >= 0.5) | (rest < -0.5)
        case Rounding.TIES_EVEN:
            step = (np.abs(rest) > 0.5) | ((np.abs(rest) == 0.5) & (whole % 2 != 0))
    result: IntArray = (whole + np.copysign(step, rest)).astype(np.int64)
    return result


def rounded_quotient(value: IntArray, divisor: int, rounding: Rounding) -> IntArray:
    """Quotients of integers, rounded by the table of `Rounding`; twice a value must fit 63 bits."""
    floor, rest = np.divmod(value, divisor)
    match rounding:
        case Rounding.FLOOR:
            step = np.zeros_like(rest, dtype=bool)
        case Rounding.TO_ZERO:
            step = (value < 0) & (rest > 0)
        case Rounding.TIES_AWAY:
            step = (2 * rest > divisor) | ((2 * rest == divisor) & (value > 0))
        case Rounding.TIES_POS:
            step = 2 * rest >= divisor
        case Rounding.TIES_EVEN:
            step = (2 * rest > divisor) | ((2 * rest == divisor) & (floor % 2 != 0))
    result: IntArray = floor + step
    return result


def power_of_two(weight: FloatArray, scale: FloatArray, layer: ProductSpec) -> FloatArray:
    """The better of the powers of two around a scale."""
    mantissa, exponent = np.frexp(scale)
    if mantissa[0] == 0.5:
        return scale
    candidates = [np.ldexp(1.0, exponent - 1), np.ldexp(1.0, exponent)]
    errors = [np.square(weight - s * integer_weight(weight, s, layer)).sum() for s in candidates]
    best: FloatArray = candidates[int(np.argmin(errors))]
    return best
