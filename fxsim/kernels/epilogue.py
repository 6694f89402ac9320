"""Accumulators to activations, written so that a loop over outputs becomes vector code.

Every rounding mode is one sum before the shift: value + base + (negative & sign) + (odd & parity),
with constants that depend on mode and shift (docs/arithmetic.md, Rounding). Slack bits are cleared
by a mask before it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fxsim.arithmetic.formats import IntFormat, Overflow, Rounding
from fxsim.kernels.intrinsics import address, copy, wide_vectors
from fxsim.kernels.jit import jit
from fxsim.kernels.packing import aligned
from fxsim.kernels.vectors import requantize_16
from fxsim.network import Activation, IntArray, QuantizedLinear, Tail


class Epilogue(NamedTuple):
    """Constants of a tail; the arrays have zeros up to a multiple of 32 outputs."""

    multiplier: IntArray
    offset: IntArray
    below: IntArray
    """Joins the offset of sums less than ``split``."""
    split: int
    uneven: int
    """Whether any of ``below`` is not 0."""
    keep: int
    """Mask of all but the slack bits."""
    shift: int
    base: int
    sign: int
    parity: int
    floor: int
    ceiling: int
    """Least and greatest value before the zero point, by relu and clamp."""
    zero_point: int
    low: int
    high: int
    wrap_mask: int
    """Mask of the word length when values wrap, else 0."""


def rounding_terms(rounding: Rounding, shift: int) -> tuple[int, int, int]:
    """(base, sign, parity) for `Epilogue`; all 0 for a shift of 0."""
    if shift == 0 or rounding is Rounding.FLOOR:
        return 0, 0, 0
    half = 1 << shift - 1
    return {
        Rounding.TO_ZERO: (0, 2 * half - 1, 0),
        Rounding.TIES_AWAY: (half, -1, 0),
        Rounding.TIES_POS: (half, 0, 0),
        Rounding.TIES_EVEN: (half - 1, 0, 1),
    }[rounding]


def epilogue_of(layer: QuantizedLinear) -> Epilogue:
    """Constants of a layer that has a tail."""
    assert layer.tail is not None
    return epilogue(layer.tail, layer.outputs, layer.output)


def epilogue(tail: Tail, outputs: int, output: Activation, split: int = 0) -> Epilogue:
    """Constants of a tail for rows of ``outputs`` accumulators, of which ``split`` means 0."""
    fmt = output.format
    floor, ceiling = -(1 << 62), 1 << 62
    if tail.clamp is not None:
        floor, ceiling = (bound - output.zero_point for bound in tail.clamp)
    return Epilogue(
        _padded(tail.multiplier, outputs),
        _padded(tail.offset, outputs),
        _padded(tail.below, outputs),
        split,
        int(tail.below.any()),
        -(1 << tail.slack_bits),
        tail.shift,
        *rounding_terms(tail.rounding, tail.shift),
        max(floor, 0) if tail.relu else floor,
        ceiling,
        output.zero_point,
        fmt.min,
        fmt.max,
        (1 << fmt.bits) - 1 if tail.overflow is Overflow.WRAP else 0,
    )


def _padded(constants: IntArray, outputs: int) -> IntArray:
    padded = aligned((-(-outputs // 32) * 32,), np.int64)
    padded[:outputs] = constants
    padded[outputs:] = 0
    return padded


def narrowest(fmt: IntFormat) -> np.dtype[np.signedinteger | np.unsignedinteger]:
    """Smallest integer type of numpy that holds a format."""
    size = next(size for size in (8, 16, 32, 64) if fmt.bits <= size)
    return np.dtype(f"{'int' if fmt.signed else 'uint'}{size}")


@jit
def finish_block(
    sums: npt.NDArray[np.int32],
    height: int,
    width: int,
    top: int,
    left: int,
    constants: Epilogue,
    out: Any,
) -> None:
    """Low bits of the activations of a block of sums, to ``out[top:, left:]``, uint8 or uint16."""
    wide_vectors()
    shift, base = constants.shift, constants.base
    sign, parity = constants.sign, constants.parity
    # These act before the zero point is added, so they are bounds like those of the format.
    low = max(constants.low, constants.floor + constants.zero_point)
    high = min(constants.high, constants.ceiling + constants.zero_point)
    zero_point = constants.zero_point
    mask, least = constants.wrap_mask, constants.floor
    below, split = constants.below[left:], constants.split
    start = constants.low
    multiplier, offset, keep = constants.multiplier[left:], constants.offset[left:], constants.keep
    whole, size = width // 16 * 16, out.itemsize
    source_at, factors_at, offsets_at = address(sums), address(multiplier), address(offset)
    goal = address(out) + top * out.strides[0] + left * size
    terms = base, sign, shift, zero_point, low, high, keep
    for i in range(height):
        if mask != 0:
            source, target = sums[i], out[top + i, left : left + width]
            for j in range(width):
                under = below[j] if source[j] < split else 0
                value = (np.int64(source[j]) * multiplier[j] + offset[j] + under) & keep
                odd = (value >> shift) & parity
                value = (value + base + ((value >> 63) & sign) + odd) >> shift
                value = max(value, least) + zero_point - start
                target[j] = (value & mask) + start
        elif parity != 0 or constants.uneven != 0:
            source, target = sums[i], out[top + i, left : left + width]
            for j in range(width):
                under = below[j] if source[j] < split else 0
                value = np.int64(source[j]) * np.int64(np.int32(multiplier[j]))
                value = (value + offset[j] + under) & keep
                odd = (value >> shift) & parity
                value = (value + base + ((value >> 63) & sign) + odd) >> shift
                target[j] = min(max(value + zero_point, low), high)
        else:
            source_i, goal_i = source_at + i * sums.strides[0], goal + i * out.strides[0]
            for k in range(0, whole, 16):
                constants_at = factors_at + 8 * k, offsets_at + 8 * k
                requantize_16((source_i + 4 * k, *constants_at, goal_i + k * size), terms, out)
            if whole < width:
                rest = source_i + 4 * whole  # whose place takes the results
                constants_at = factors_at + 8 * whole, offsets_at + 8 * whole
                requantize_16((rest, *constants_at, rest), terms, out)
                copy(goal_i + whole * size, rest, (width - whole) * size)


@jit
def requantize_into(sums: IntArray, constants: Epilogue, result: IntArray) -> int:
    """`requantize` to an array that exists; returns how many values left the format."""
    rows, outputs = sums.shape
    multiplier, shift, base = constants.multiplier, constants.shift, constants.base
    sign, parity, least = constants.sign, constants.parity, constants.floor
    low, high, mask = constants.low, constants.high, constants.wrap_mask
    offset, keep, zero_point = constants.offset, constants.keep, constants.zero_point
    below, split, most = constants.below, constants.split, constants.ceiling
    clipped = 0
    for i in range(rows):
        source, target = sums[i], result[i]
        for j in range(outputs):
            under = below[j] if source[j] < split else 0
            value = (np.int64(source[j]) * multiplier[j] + offset[j] + under) & keep
            odd = (value >> shift) & parity
            value = (value + base + ((value >> 63) & sign) + odd) >> shift
            value = min(max(value, least), most) + zero_point
            bounded = min(max(value, low), high)
            clipped += value != bounded
            target[j] = value if mask != 0 else bounded
        if mask != 0:
            for j in range(outputs):
                target[j] = ((target[j] - low) & mask) + low
    return clipped


@jit
def requantize(sums: IntArray, constants: Epilogue) -> tuple[IntArray, int]:
    """Sums (rows, outputs) of any integer type to activations, and how many left their format."""
    result = np.empty(sums.shape, np.int64)
    return result, requantize_into(sums, constants, result)
