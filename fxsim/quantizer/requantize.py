"""Accumulators, biases and tails: real ratios -> integers.

A tail stands for ``round(ratio * accumulator + steps)``: ``ratio`` is the real value of 1 in
the accumulator over that of an output step, ``steps`` the real bias in output steps.

The whole part of a bias, in units of the accumulator, is where the accumulator starts; what is left
is the offset, in units of 2**-shift of an output step. Channels share one shift, so a channel whose
ratio is far below the others' has a short multiplier, or 0, and a bias of very many units: it is
next to constant, and all of its bias is the offset.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fxsim.arithmetic.formats import MAX_BITS, AccumulatorMode, IntFormat, Overflow, Rounding
from fxsim.arithmetic.integers import wrap
from fxsim.errors import PrecisionWarning, RangeError
from fxsim.network import Accumulator, Activation, FloatArray, IntArray, Tail
from fxsim.network.linear import channel_bounds
from fxsim.quantizer.activation import integers
from fxsim.quantizer.remarks import tell
from fxsim.quantizer.weight import round_real
from fxsim.spec.common import AccumulatorSpec, GateRequantizeSpec, RequantizeSpec

_OFFSET_BITS = MAX_BITS - 1
_MOST_BITS = 32
"""Longest multiplier that a specification can ask for."""


def requantized(
    name: str,
    weight: IntArray,
    source: Activation,
    unit: FloatArray,
    bias: FloatArray,
    scale: float,
    *,
    accumulator: AccumulatorSpec,
    requantize: RequantizeSpec | GateRequantizeSpec,
    rounding: Rounding,
    span: int,
    saturates: bool,
    relu: bool = False,
    step: int = 1,
) -> tuple[IntArray, Accumulator, Tail]:
    """Start values, accumulator and tail of a matrix product.

    Wide accumulators start at 0 in channels whose bias exceeds what the products of any channel
    reach, so that no bias makes them more than a bit wider than the weights do; those of a given
    width, in channels whose bias does not fit. A plain shift has no offset.

    Where the output saturates and half a unit of the accumulator is all of its range, the ratio is
    no greater than that takes: it leaves bits to the other channels and changes no output.

    Parameters
    ----------
    unit : float64 array, shape (1,) or (outputs,)
        Real value of 1 in the accumulator.
    bias : float64 array, shape (outputs,)
    scale : float
        Real value of a step of what is requantized.
    span, step : int
        Steps that the format has, and the step that they end in; a multiplier whose error could be
        more than half of that within the format is told.
    saturates : bool
        Whether values beyond the format are its ends.
    relu : bool
        Whether what is rounded is at least 0.

    Raises
    ------
    RangeError
        If a width exceeds its limit, or a bias does not fit an accumulator of given width.
    """
    reach = _reach(weight, np.zeros(len(weight), np.int64), source)
    furthest = min(float(reach.max()) + 1, float(1 << MAX_BITS - 2))
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        ratio, steps, units = unit / scale, bias / scale, np.where(unit > 0, bias / unit, 0.0)
        if requantize.multiplier_bits == 0:
            tail = tail_of(name, ratio, requantize, rounding, relu=relu)
            whole = integer_bias(name, units)
            return *accumulator_of(name, weight, whole, source, accumulator), tail
        cut, beyond = saturates & (ratio > 2 * span), np.abs(units) > furthest
        units = np.clip(units, -furthest, furthest)
        if accumulator.bits is not None:
            apart = _outside(weight, integer_bias(name, units), source, accumulator)
            cut, beyond = cut & ~apart, beyond | apart
        # A channel that is cut is saturated there; others are next to constant, or have no choice.
        whole = integer_bias(name, np.where(beyond & ~cut, 0.0, units))
        limit = np.where(cut, 0.0, reach * ratio) + span if saturates else np.inf
        rest = np.clip((bias - whole * unit) / scale, -limit, limit)
        ratio = np.where(cut, 2.0 * span, ratio) if cut.any() else ratio
        tail = tail_of(name, ratio, requantize, rounding, rest, relu=relu)
        constant = np.broadcast_to(tail.multiplier == 0, whole.shape)
        whole = np.where(constant, 0, whole)
        rest = np.where(constant, np.clip(steps, -limit, limit), rest)
        offset = round_real(np.ldexp(rest, tail.shift), Rounding.TIES_AWAY)
        within = np.divide(span, ratio, out=np.full(ratio.shape, np.inf), where=ratio > 0)
    tail = replace(tail, offset=offset)
    reach = np.minimum(_reach(weight, whole, source), within)
    tell_coarse(name, ratio, reach, tail, span, step)
    return *accumulator_of(name, weight, whole, source, accumulator), tail


def integer_bias(name: str, units: FloatArray) -> IntArray:
    """Bias in units of the accumulator, rounded.

    Raises
    ------
    RangeError
        If it is beyond all accumulators; names the channel.
    """
    channel = int(np.abs(units).argmax())
    if not abs(units[channel]) < 1 << (MAX_BITS - 1):
        raise RangeError(
            f"{name}: the bias of channel {channel} must fit {MAX_BITS} bits in units of the"
            f" accumulator, but is {units[channel]:g} of them; raise its scale or lower the bias"
        )
    return round_real(units, Rounding.TIES_AWAY)


def accumulator_of(
    name: str, weight: IntArray, whole: IntArray, source: Activation, wanted: AccumulatorSpec
) -> tuple[IntArray, Accumulator]:
    """Start values and accumulator for the integer bias ``whole``.

    A start value outside of a wrapping accumulator wraps: modulo 2**bits all orders of summation
    end alike. One that no sum of the channel brings back is refused, and so is any outside of a
    saturating accumulator.

    Raises
    ------
    RangeError
        If a start value or a proven width does not fit.
    """
    bias = whole - source.zero_point * weight.sum(axis=1)
    mode, bits = wanted.overflow, wanted.bits
    if bits is None:
        low, high = channel_bounds(weight, bias, source.format)
        least, most = int(low.min()), int(high.max())
        if max(most, -least - 1).bit_length() >= MAX_BITS:
            raise RangeError(
                f"{name}: accumulator must fit {MAX_BITS} bits to hold {least} to {most}"
            )
        fmt = IntFormat.spanning(least, most, signed=True)
        return bias, Accumulator(format=fmt, mode=AccumulatorMode.WIDE)
    fmt = IntFormat(bits=bits, signed=True)
    if (outside := _outside(weight, whole, source, wanted)).any():
        channel = int(outside.argmax())
        needed = IntFormat.spanning(int(bias.min()), int(bias.max()), signed=True).bits
        raise RangeError(
            f"{name}: accumulator.bits must be at least {needed} to hold the bias of channel"
            f" {channel}, {bias[channel]} in units of the accumulator, not {bits}"
        )
    wrapped = np.array([wrap(value, fmt) for value in bias.tolist()], np.int64)
    return wrapped, Accumulator(format=fmt, mode=mode)


def _outside(
    weight: IntArray, whole: IntArray, source: Activation, wanted: AccumulatorSpec
) -> npt.NDArray[np.bool_]:
    """Channels whose bias an accumulator of a given width cannot start from."""
    assert wanted.bits is not None
    fmt = IntFormat(bits=wanted.bits, signed=True)
    bias = whole - source.zero_point * weight.sum(axis=1)
    outside: npt.NDArray[np.bool_] = (bias < fmt.min) | (bias > fmt.max)
    if wanted.overflow is AccumulatorMode.WRAP:
        low, high = channel_bounds(weight, bias, source.format)
        outside &= (low > fmt.max) | (high < fmt.min)
    return outside


def tail_of(
    name: str,
    ratio: FloatArray,
    wanted: RequantizeSpec | GateRequantizeSpec,
    rounding: Rounding,
    steps: FloatArray | None = None,
    *,
    relu: bool = False,
) -> Tail:
    """Multipliers and their common shift, as large as ``multiplier_bits`` and ``steps`` allow.

    The offset is still 0.
    """
    bits = wanted.multiplier_bits
    if bits == 0:
        shift, multiplier = 1 - math.frexp(ratio[0])[1], np.ones(1, dtype=np.int64)
    else:
        limit, channel = (1 << bits) - 0.5, int(ratio.argmax())
        top, furthest = float(ratio[channel]), 0.0 if steps is None else float(np.abs(steps).max())
        if top >= limit:
            which = f"channel {channel}: " if ratio.size > 1 else ""
            needed = math.frexp(top + 0.5)[1] if math.isfinite(top) else MAX_BITS
            remedy = "" if needed <= _MOST_BITS else "; samples set too fine a scale, give one"
            raise RangeError(
                f"{name}: {which}multiplier_bits must be at least {needed} for a scale ratio of"
                f" {top:g}, not {bits}{remedy}"
            )
        # An offset twice as large would leave the format of offsets.
        widest = _OFFSET_BITS - 1 - max(0, math.frexp(furthest)[1])
        if widest < 0:
            raise RangeError(
                f"{name}: bias must be below 2**{_OFFSET_BITS - 1} output steps, not {furthest:g}"
            )
        shift = max(s for s in range(widest + 1) if np.ldexp(top, s) < limit)
        multiplier = round_real(np.ldexp(ratio, shift), Rounding.TIES_AWAY)
    return Tail(
        multiplier=multiplier,
        multiplier_bits=bits,
        shift=shift,
        rounding=rounding,
        overflow=wanted.overflow,
        relu=relu,
    )


def limited(tail: Tail, most: float, output: Activation) -> Tail:
    """Tail whose outputs are real ``most`` at the most, rounded as all of them are."""
    if math.isinf(most):
        return tail
    greatest = integers(np.array([most]), output, tail.rounding)
    high, fmt = int(greatest[0]), output.format
    return replace(tail, clamp=(fmt.min, high)) if high < fmt.max else tail


def _reach(weight: IntArray, whole: IntArray, source: Activation) -> FloatArray:
    """Greatest magnitude of each channel's sum, or a little more."""
    up, down = np.maximum(weight, 0).sum(axis=1), np.maximum(-weight, 0).sum(axis=1)
    most = float(source.format.max - source.zero_point)
    least = float(source.format.min - source.zero_point)
    reach: FloatArray = np.maximum(up * most - down * least, down * most - up * least)
    return reach + np.abs(whole)


def tell_coarse(
    name: str,
    ratio: FloatArray,
    reach: FloatArray,
    tail: Tail,
    span: int,
    step: int = 1,
    part: str = "channel",
) -> None:
    """Warn of the channel whose multiplier is the least exact, if more bits would help it.

    That is where its error times ``reach``, the greatest value that it multiplies, is more than
    half a step, and more than ``multiplier_bits`` leave to a channel that uses all but two of them.
    The channels of an add are its operands; ``part`` is the word for one.
    """
    bits = tail.multiplier_bits
    error = np.abs(np.ldexp(tail.multiplier, -tail.shift) - ratio) * reach / step
    channel, common = int(error.argmax()), span * 2.0 ** (2 - bits) / step
    if (worst := float(error[channel])) <= max(0.5, common):
        return
    needed, greatest = bits + math.ceil(math.log2(worst / 0.5)), int(ratio.argmax())
    why = ""
    if ratio.size > 1 and greatest != channel:
        why = f", whose scale is far below that of {part} {greatest}"
    tell(
        f"{name}: multiplier_bits must be about {needed} for {part} {channel}{why}, not {bits}:"
        f" its values can be off by {worst:.3g} steps",
        PrecisionWarning,
    )


def mean_tail(count: int, low: int, high: int, rounding: Rounding) -> Tail:
    """Constants that take a sum of ``count`` values to its mean, rounded exactly in every mode.

    With 2**a the greatest power of two in count = 2**a * odd and the multiplier m = ceil(2**s /
    odd), m * sum + offset is 2**s * sum / odd and an excess of 0 to less than 2**slack for every
    sum from ``low`` to ``high``; the offset lifts the least of them to 0. The floor that clears the
    slack bits can then move nothing across a multiple of 1/2, and moves nothing onto one: sums are
    multiples of 1/count, and 2**slack is at most 2**(a + s) / (2 * count). So ties stay ties, and
    what lies between two multiples of 1/2 stays there.

    Parameters
    ----------
    low, high : int
        Range of the sums.

    Raises
    ------
    RangeError
        If the multiplier times a sum could need more than 62 bits.
    """
    halvings = (count & -count).bit_length() - 1
    odd = count >> halvings
    if odd == 1:
        return _mean(np.ones(1, np.int64), 0, halvings, 0, 0, rounding)
    sums = IntFormat.spanning(min(low, -1), high).bits
    for shift in range(1, 2 * MAX_BITS):
        multiplier = -(-(1 << shift) // odd)
        excess = multiplier * odd - (1 << shift)  # of m * sum, in units of sum / odd
        offset = -(low * excess // odd) if low < 0 else 0
        slack = (high * excess // odd + offset).bit_length()
        # 2**slack <= 2**(halvings + shift) / (2 * count)
        if 2 * odd << slack <= 1 << shift:
            break
    if multiplier.bit_length() + sums > MAX_BITS or halvings + shift > MAX_BITS:
        raise RangeError(
            f"the mean of {count} values must fit {MAX_BITS} bits, not"
            f" {multiplier.bit_length()} of the reciprocal and {sums} of the sum; take a kernel"
            f" of fewer pixels, or of a power of two"
        )
    constants = np.array([multiplier]), multiplier.bit_length(), halvings + shift
    return _mean(*constants, offset, slack, rounding)


def _mean(
    multiplier: IntArray, bits: int, shift: int, offset: int, slack: int, rounding: Rounding
) -> Tail:
    return Tail(
        multiplier=multiplier,
        multiplier_bits=bits,
        shift=shift,
        rounding=rounding,
        overflow=Overflow.SATURATE,
        offset=np.array([offset]),
        slack_bits=slack,
    )
