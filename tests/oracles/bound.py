"""How far a requantized sum may be from the real number: docs/arithmetic.md derives it.

Only a specification's word lengths enter, and the real sums; neither multipliers nor shifts.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from fxsim.arithmetic.formats import AccumulatorMode, Overflow
from fxsim.network import QuantizedLinear, Rescale, accumulator_bounds
from tests.oracles.meant import HALF, Output, fractions

NEARLY = Fraction(1, 1 << 45)
"""Relative error of scales that the quantizer works out in float64."""


def output_of(layer: QuantizedLinear | Rescale, most: Fraction | None = None) -> Output:
    """Everything about a layer's output that a specification and a calibration settle."""
    activation = layer.output
    return Output(
        fmt=activation.format,
        scale=Fraction(activation.scale),
        zero_point=activation.zero_point,
        rounding=layer.tail.rounding,
        overflow=layer.tail.overflow,
        relu=layer.tail.relu,
        most=most,
    )


def scaling_error(
    out: Output,
    units: np.ndarray,
    biases: np.ndarray,
    sums: np.ndarray,
    bits: int,
    reach: Fraction | None,
) -> np.ndarray:
    """Greatest error, in output steps, before rounding: the bound that the docs derive.

    Parameters
    ----------
    units : array of fractions, shape (outputs,)
        Real value of a sum of 1: weight scale times input scale.
    biases, sums : array of fractions, shape (outputs,)
        Real bias, and the real sum without it.
    bits : int
        Word length of the multiplier; 0 is a plain shift, where the bias is rounded to a unit.
    reach : Fraction, optional
        Units that the sums of any channel reach; None for accumulators of a given width, whose
        bias may be apart from them.
    """
    ratios, steps = units / out.scale, biases / out.scale
    nearly = NEARLY * (abs(sums) / out.scale + abs(steps) + 1)
    if bits == 0:
        return ratios / 2 + nearly
    cut = ratios
    if out.overflow is Overflow.SATURATE:
        cut = np.minimum(ratios, Fraction(2 << out.fmt.bits))
    finest = max(max(cut) / ((1 << bits) - HALF), max(abs(steps)) / (1 << 57))

    def count(unit: Fraction, ratio: Fraction, bias: Fraction, total: Fraction) -> Fraction:
        """Units that the multiplier meets: of the whole sum, or without the bias."""
        if unit == 0:
            return Fraction(0)
        whole, apart = abs(total + bias) / unit + HALF, abs(total) / unit
        if reach is None or ratio <= finest or abs(abs(bias) / unit - reach) <= 2 + reach * NEARLY:
            return max(whole, apart)
        return whole if abs(bias) / unit < reach or ratio > max(cut) else apart

    counts = np.array(list(map(count, units, ratios, biases, sums)))
    return (counts + 1) * finest + nearly


def hold(product, sums, biases, found, told, most=None):
    """Hold one vector of outputs to its real sums, where the accumulator has not overflowed.

    Where nothing was told, errors are small, too. ``most`` is what the nonlinearity leaves, if it
    has a limit.
    """
    out, bits = output_of(product, most), product.tail.multiplier_bits
    units = fractions(np.broadcast_to(product.weight_scale, product.outputs))
    units = units * Fraction(product.input.scale)
    reach = None
    if product.accumulator.mode is AccumulatorMode.WIDE:
        none = np.zeros(product.outputs, np.int64)
        low, high = accumulator_bounds(product.weight, none, product.input.format)
        reach = Fraction(max(-low, high))
    errors = scaling_error(out, units, biases, sums, bits, reach)
    if bits and not told and out.overflow is Overflow.SATURATE:
        small = max(HALF, Fraction(4 << out.fmt.bits, 1 << bits)) + Fraction(1, 1 << bits)
        errors = np.minimum(errors, small)
    for k, integer in enumerate(found):
        if product.accumulator.mode is not AccumulatorMode.WIDE:
            whole = (sums[k] + biases[k]) / units[k] if units[k] else Fraction(0)
            fmt = product.accumulator.format
            if not fmt.min + 1 <= whole <= fmt.max - 1:
                continue  # what overflow makes of it is not what the layer is meant for
        out.check(int(integer), sums[k] + biases[k], errors[k])


def hold_rescale(layer: Rescale, reals, found, told):
    """Hold what a rescale yields to the real numbers that it takes.

    Their unit is exact, and there is no bias: the multiplier alone is off, by half a step of its
    last bit for each unit. A plain shift is exact.
    """
    out, bits = output_of(layer), layer.tail.multiplier_bits
    unit = Fraction(layer.input.scale)
    ratio = unit / out.scale
    finest = ratio / ((1 << bits) - HALF) if bits else Fraction(0)
    for real, integer in zip(reals.tolist(), found.tolist(), strict=True):
        error = abs(real) / unit * finest + NEARLY * abs(real) / out.scale
        if bits and not told and out.overflow is Overflow.SATURATE:
            small = max(HALF, Fraction(4 << out.fmt.bits, 1 << bits)) + Fraction(1, 1 << bits)
            error = min(error, small)
        out.check(integer, real, error)
