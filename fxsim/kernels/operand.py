"""Weights for use inside compiled loops: exact 64-bit sums of operands of any word length.

An activation plus ``offset`` is unsigned; its bytes are *planes*. A weight is a sum of signed bytes
times powers of 256, its *digits*. Every plane meets every digit, and 32 bits hold the sums of such
products for 65536 inputs. What ``offset`` adds is taken back by ``start``. With VNNI, operands of
up to 16 bits whose sums fit 32 stay words: half as many products at once, but in one pass.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fxsim.kernels.jit import jit
from fxsim.kernels.matmul import multiply
from fxsim.kernels.packing import PackedWeight, pack
from fxsim.kernels.target import Backend
from fxsim.network import IntArray

MAX_INPUTS = 1 << 16


class Operand(NamedTuple):
    """start[m] + sum over k of weight[m, k] * x[k] for activations of a known range."""

    weight: PackedWeight
    """Digits side by side, ``pitch`` columns each."""
    start: IntArray
    planes: int
    offset: int
    digits: int
    pitch: int
    complete: bool
    """True if there is one plane and one digit, and the 32-bit sums hold ``start`` already."""
    words: bool
    """True if the one plane and the one digit have 16 bits."""


def planes_of(low: int, high: int) -> tuple[int, int]:
    """Planes of activations from ``low`` to ``high``, and their offset."""
    planes = 1
    while True:
        half = 256**planes // 2
        if low >= 0 and high < 2 * half:
            return planes, 0
        if -half <= low and high < half:
            return planes, half
        planes += 1


def digits_of(weight: npt.NDArray[Any]) -> list[npt.NDArray[np.int8]]:
    """Signed bytes d0, d1, ... with weight = d0 + 256 d1 + ...; at least one."""
    if weight.dtype == np.int8:
        return [weight]
    digits: list[npt.NDArray[np.int8]] = []
    rest = weight.astype(np.int64)
    while not digits or rest.any():
        digit = rest.astype(np.int8)
        digits.append(digit)
        rest = (rest - digit) >> 8
    return digits


def words_fit(
    weight: npt.NDArray[Any], start: IntArray, low: int, high: int, backend: Backend
) -> bool:
    """True if words, signed, do in one pass what takes bytes several."""
    least, greatest = int(weight.min(initial=0)), int(weight.max(initial=0))
    fits = all(-(1 << 15) <= value < 1 << 15 for value in (low, high, least, greatest))
    bytes_ = planes_of(low, high)[0] == 1 and least >= -128 and greatest <= 127
    return (
        backend is Backend.VNNI
        and fits
        and not bytes_
        and _reach(weight, start, low, high) < 1 << 31
    )


def _reach(weight: npt.NDArray[Any], start: IntArray, low: int, high: int) -> int:
    """Bound of the magnitude of every sum."""
    magnitudes = np.abs(weight, dtype=np.promote_types(weight.dtype, np.int16))
    most = magnitudes.sum(axis=1, dtype=np.int64).max(initial=0)
    return int(most) * max(high, -low) + int(np.abs(start).max(initial=0))


def operand_of(
    weight: npt.NDArray[Any],
    start: IntArray,
    low: int,
    high: int,
    backend: Backend,
    *,
    words: bool = True,
) -> Operand:
    """Operand of weights (outputs, inputs), at most `MAX_INPUTS` of the latter.

    Without ``words`` activations are always bytes, for a caller that splits them itself.
    """
    outputs, inputs = weight.shape
    words = words and words_fit(weight, start, low, high, backend)
    digits = [weight.astype(np.int16)] if words else digits_of(weight)
    planes, offset = (1, 0) if words else planes_of(low, high)
    pitch = -(-outputs // 32) * 32
    stacked = np.zeros((pitch * len(digits), inputs), digits[0].dtype)
    for place, digit in enumerate(digits):
        stacked[place * pitch : place * pitch + outputs] = digit
    corrected = start - offset * weight.sum(axis=1, dtype=np.int64)
    complete = planes == len(digits) == 1 and _reach(weight, start, low, high) < 1 << 31
    sums = np.zeros(len(stacked), np.int64)
    if complete:
        sums[:outputs], corrected = corrected, np.zeros_like(corrected)
    packed = pack(stacked, sums, backend)
    return Operand(packed, corrected, planes, offset, len(digits), pitch, complete, words)


@jit
def scratch(rows: int, inputs: int, operand: Operand) -> tuple[Any, Any]:
    """Room that `exact_sums` needs for that many rows: bytes and 32-bit sums."""
    count, size = rows * operand.planes, 2 if operand.words else 1
    return (
        np.empty((count, inputs * size), np.uint8),
        np.empty((count, operand.digits * operand.pitch), np.int32),
    )


@jit
def split(x: IntArray, operand: Operand, target: npt.NDArray[np.uint8], first: int) -> None:
    """Bytes of the rows of ``x`` to ``target``, whose planes are ``first`` rows apart."""
    for i in range(x.shape[0]):
        source = x[i]
        if operand.words:
            words = target[i].view(np.int16)
            for k in range(len(source)):
                words[k] = source[k]
            continue
        for plane in range(operand.planes):
            row, shift = target[plane * first + i], 8 * plane
            for k in range(len(source)):
                row[k] = np.uint8((np.int64(source[k]) + operand.offset) >> shift)


@jit
def exact_sums(
    operand: Operand,
    planes: npt.NDArray[np.uint8],
    partial: npt.NDArray[np.int32],
    out: IntArray,
) -> None:
    """Fill ``out`` (rows, outputs) from the planes of as many rows, one plane below the other."""
    multiply(planes, 0, operand.weight, partial)
    rows, outputs = out.shape
    for i in range(rows):
        target = out[i]
        for plane in range(operand.planes):
            for digit in range(operand.digits):
                first, shift = digit * operand.pitch, 8 * (plane + digit)
                source = partial[plane * rows + i, first : first + outputs]
                if plane + digit == 0:
                    for j in range(outputs):
                        target[j] = operand.start[j] + source[j]
                else:
                    for j in range(outputs):
                        target[j] += np.int64(source[j]) << shift
