"""Accumulators cut after each beat of ``simd`` products, many outputs at a time.

The order of the hardware is kept: outputs are independent of each other, so the lanes of a register
hold outputs, and the beats of an output follow one another. The products of a beat are added
exactly, four at a time, and the accumulator is then clamped. One that wraps needs this only where
the beats that overflow are counted: cut once, its sum is the same.

Few sums come near the limits of their range. Before each chunk of beats it is seen how far the sums
of a block are from them; where the weights of the chunk cannot reach so far, its beats are neither
cut nor counted.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fxsim.kernels.arith import wrap
from fxsim.kernels.intrinsics import LANES, Cut, address, beat_rows
from fxsim.kernels.jit import jit
from fxsim.kernels.packing import aligned
from fxsim.network import IntArray

_BLOCK = 48
_MOST_BEATS, _PRODUCTS = 16, 64
"""Beats of a chunk: more can hardly be safe, fewer do not repay the look at the sums."""
_SATURATE = int(Cut.SATURATE)
_SATURATE_COUNTED, _WRAP_COUNTED = int(Cut.SATURATE_COUNTED), int(Cut.WRAP_COUNTED)


class BeatWeight(NamedTuple):
    """Weights of a layer whose beats have ``simd`` products.

    ``panels`` are int8 of shape (panels, beats, quads, 2, 16, 4), ``start`` the biases. Signed
    activations are read as unsigned, which makes sums too large; their range moves along:
    ``floors`` (panels, beats + 1, 32) is its least value before the first beat and after each,
    ``span`` its greatest less that. ``margins`` (panels, chunks, 2, 32) are how far a chunk of
    beats can reach, and ``span`` less twice that; or what nothing is far enough for.
    """

    panels: npt.NDArray[np.int8]
    floors: npt.NDArray[np.int32]
    margins: npt.NDArray[np.int32]
    start: npt.NDArray[np.int32]
    span: int
    chunk: int


def pack_beats(
    weight: npt.NDArray[np.int8],
    bias: IntArray,
    simd: int,
    offset: int,
    low: int,
    high: int,
    most: int = 255,
) -> BeatWeight:
    """Pack weights (outputs, inputs) for sums from ``low`` to ``high``.

    ``offset`` is what activations are too large by, ``most`` the greatest magnitude of a right one.
    """
    outputs, inputs = weight.shape
    count, beats, quads = -(-outputs // LANES), -(-inputs // simd), -(-simd // 4)
    padded = np.zeros((count * LANES, beats * simd), np.int8)
    padded[:outputs, :inputs] = weight
    slots = np.zeros((count * LANES, beats, quads * 4), np.int8)
    slots[:, :, :simd] = padded.reshape(-1, beats, simd)
    panels = aligned((count, beats, quads, 2, 16, 4), np.int8)
    panels[...] = slots.reshape(count, 2, 16, beats, quads, 4).transpose(0, 3, 4, 1, 2, 5)
    floors = aligned((count, beats + 1, LANES), np.int32)
    floors[:] = low
    sums = slots.sum(axis=2, dtype=np.int32).reshape(count, LANES, beats)
    floors[:, 1:] += offset * sums.cumsum(axis=2, dtype=np.int32).transpose(0, 2, 1)
    start = aligned((count * LANES,), np.int32)
    start[:] = 0
    start[:outputs] = bias
    span = high - low
    chunk = min(_MOST_BEATS, max(2, _PRODUCTS // simd))
    chunks = -(-beats // chunk)
    reach = np.zeros((count * LANES, chunks * chunk), np.int64)
    reach[:, :beats] = most * np.abs(slots, dtype=np.int16).sum(axis=2, dtype=np.int64)
    reach = reach.reshape(count, LANES, chunks, chunk).sum(axis=3).transpose(0, 2, 1)
    margins = aligned((count, chunks, 2, LANES), np.int32)
    never = 2 * reach > span
    margins[:, :, 0] = np.where(never, span + 1, reach)
    margins[:, :, 1] = np.where(never, 0, span - 2 * reach)
    return BeatWeight(panels, floors, margins, start, span, chunk)


@jit
def beat_sums(
    x: npt.NDArray[np.uint8],
    flip: int,
    weight: BeatWeight,
    simd: int,
    out: npt.NDArray[np.int32],
    counting: bool,
    wraps: bool,
) -> int:
    """Fill ``out`` (rows, outputs) from (``x`` ^ ``flip``), shape (rows, inputs).

    Returns how many beats overflowed, or 0 unless ``counting``, which ``wraps`` implies. Needs
    AVX-512 VNNI.
    """
    count, inputs = x.shape
    outputs = out.shape[1]
    panels, beats, quads = weight.panels.shape[:3]
    low, span, chunks = weight.floors[0, 0, 0], weight.span, weight.margins.shape[1]
    stride = beats * quads * 4
    raw = np.empty(_BLOCK * (stride + 128) + 64, np.uint8)
    align = -address(raw) % 64
    sums = raw[align : align + _BLOCK * 128].view(np.int32).reshape((_BLOCK, 32))
    found = np.zeros(1, np.int64)
    begin = align + _BLOCK * 128
    rows = raw[begin : begin + _BLOCK * stride].reshape((_BLOCK, stride))
    words = raw[begin : begin + _BLOCK * stride].view(np.uint32).reshape((_BLOCK, stride // 4))
    bits = np.uint8(flip)
    cut = _WRAP_COUNTED if wraps else _SATURATE_COUNTED if counting else _SATURATE
    overflows = 0
    for top in range(0, count, _BLOCK):
        height = min(_BLOCK, count - top)
        for i in range(height):
            source, target = x[top + i], rows[i]
            if simd == 4 * quads:
                for k in range(inputs):
                    target[k] = source[k] ^ bits
            elif simd == 1:
                for k in range(inputs):
                    words[i, k] = source[k] ^ bits
            else:
                for beat in range(beats):
                    for k in range(min(simd, inputs - beat * simd)):
                        target[beat * 4 * quads + k] = source[beat * simd + k] ^ bits
        for p in range(panels):
            width = min(32, outputs - 32 * p)
            panel = address(weight.panels) + p * beats * quads * 128
            floors = address(weight.floors) + p * (beats + 1) * 128
            margins = address(weight.margins) + p * chunks * 256
            start = address(weight.start) + p * 128
            i = 0
            while i < height:
                size = 6 if height - i >= 6 else 1
                places = (
                    address(rows) + i * stride, stride, panel, floors, margins, start, beats,
                    weight.chunk, quads, span, address(sums) + i * 128, 128, address(found),
                )  # fmt: skip
                beat_rows(places, size, cut)
                overflows += found[0]
                i += size
            for i in range(height):
                result = out[top + i]
                if wraps:
                    for j in range(width):
                        result[32 * p + j] = ((sums[i, j] - low) & span) + low
                else:
                    for j in range(width):
                        result[32 * p + j] = sums[i, j]
    return overflows


@jit
def accumulate_beats(
    x: IntArray, columns: IntArray, bias: IntArray, simd: int, bits: int, saturate: bool
) -> tuple[IntArray, int]:
    """Accumulators of ``bits`` signed bits, wrapped or saturated after each beat; any word length.

    ``columns`` are weights of shape (inputs, outputs). Returns the accumulators (rows, outputs) and
    the number of beats that overflowed.
    """
    count, inputs = x.shape
    outputs = columns.shape[1]
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    result = np.empty((count, outputs), np.int64)
    overflows = 0
    for i in range(count):
        total = result[i]
        total[:] = bias
        for first in range(0, inputs, simd):
            for k in range(first, min(first + simd, inputs)):
                value = x[i, k]
                if value != 0:
                    column = columns[k]
                    for m in range(outputs):
                        total[m] += column[m] * value
            if saturate:
                for m in range(outputs):
                    clamped = min(max(total[m], low), high)
                    overflows += clamped != total[m]
                    total[m] = clamped
            else:
                for m in range(outputs):
                    wrapped = wrap(total[m], bits, True)
                    overflows += wrapped != total[m]
                    total[m] = wrapped
    return result, overflows
