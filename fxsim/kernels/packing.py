"""Weights in the order in which the kernels read them; the type says which kernel that is.

A panel holds 32 outputs. For every 64 inputs it has two tiles of 16 outputs, each 16 rows of 64
bytes: row r holds inputs 4r .. 4r + 3 of output 0, then of output 1, and so on. AMX, VNNI and AVX2
read the same bytes; words are two of them. Missing inputs and outputs are zeros, so what stands
next to an activation vector in memory does not matter. Weights of two bits are packed once more,
four to a byte, for single rows, which are bound by reading them.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from fxsim.kernels.intrinsics import LANES
from fxsim.kernels.jit import jit
from fxsim.kernels.target import Backend

GROUP = 64
"""Bytes of a row of activations that a tile meets: as many inputs, or half as many words."""

_MOST_NARROW = 1 << 16
"""Inputs for which 32 bits hold sums that are 64 times too large (`dot_row_narrow`)."""


class TileWeight(NamedTuple):
    """For AMX: int8 panels, shape (panels, groups, 2048), and 32-bit start values of the sums.

    ``narrow`` is of shape (panels, groups, 512), see `dot_row_narrow`, or empty.
    """

    panels: npt.NDArray[np.int8]
    start: npt.NDArray[np.int32]
    narrow: npt.NDArray[np.uint8]


class LaneWeight(NamedTuple):
    """For AVX-512 VNNI: the same, or int16 panels, shape (panels, groups of 32 inputs, 1024)."""

    panels: npt.NDArray[np.int8 | np.int16]
    start: npt.NDArray[np.int32]
    narrow: npt.NDArray[np.uint8]


class PairWeight(NamedTuple):
    """For AVX2: the same, and whether 16 bits hold two products of any activations."""

    panels: npt.NDArray[np.int8]
    start: npt.NDArray[np.int32]
    short: bool


class PlainWeight(NamedTuple):
    """For plain loops: int32 weights, shape (inputs, outputs), and start values."""

    columns: npt.NDArray[np.int32]
    start: npt.NDArray[np.int32]


PackedWeight: TypeAlias = Any
"""Any of the four; compiled code is specialised to the one that it gets."""


def aligned(shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Array that starts at a multiple of 64: a tile load across cache lines is six times slower."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.empty(size + 64, np.uint8)
    offset = -raw.ctypes.data % 64
    return raw[offset : offset + size].view(dtype).reshape(shape)


def pack(
    weight: npt.NDArray[np.int8 | np.int16], start: npt.NDArray[Any], backend: Backend
) -> PackedWeight:
    """Pack weights of shape (outputs, inputs) and start values of shape (outputs,).

    Start values are taken modulo 2**32, as are the sums of the kernels. Only VNNI takes int16, for
    activations that are signed words.
    """
    words = weight.dtype == np.int16
    assert not words or backend is Backend.VNNI
    if words:
        weight = np.ascontiguousarray(weight).view(np.int8)
    outputs, inputs = weight.shape  # bytes
    wrapped = start.astype(np.int64).astype(np.int32)
    if backend not in {Backend.AMX, Backend.VNNI, Backend.AVX2}:
        return PlainWeight(np.ascontiguousarray(weight.T, np.int32), wrapped)
    count, groups = -(-outputs // LANES), max(1, -(-inputs // GROUP))
    panels = aligned((count, groups, 2 * 16 * GROUP), np.int8)
    panels[:] = 0
    _fill(np.ascontiguousarray(weight), panels)
    first = aligned((count * LANES,), np.int32)
    first[:] = 0
    first[:outputs] = wrapped
    least, greatest = int(weight.min(initial=0)), int(weight.max(initial=0))
    if backend is Backend.AVX2:
        return PairWeight(panels, first, 2 * 255 * max(-least, greatest) < 1 << 15)
    narrow = least >= -2 and greatest <= 1 and not words and inputs <= _MOST_NARROW
    packed = _narrow(panels if narrow else panels[:0])
    if backend is Backend.AMX:
        return TileWeight(panels, first, packed)
    return LaneWeight(panels.view(np.int16) if words else panels, first, packed)


def _narrow(panels: npt.NDArray[np.int8]) -> npt.NDArray[np.uint8]:
    """Panels of weights from -2 to 1 in two bits, as `dot_row_narrow` reads them."""
    count, groups, _ = panels.shape
    quads = panels.reshape(count, groups, 2, 4, 4, GROUP)
    packed = aligned((count, groups, 512), np.uint8)
    bits = sum((quads[:, :, :, chain] + 2).view(np.uint8) << 2 * chain for chain in range(3))
    packed[:] = (bits | quads[:, :, :, 3].view(np.uint8) << 6).reshape(packed.shape)
    return packed


@jit
def _fill(weight: npt.NDArray[np.int8], panels: npt.NDArray[np.int8]) -> None:
    outputs, inputs = weight.shape
    for m in range(outputs):
        source, target = weight[m], panels[m // LANES]
        place = m // 16 % 2 * 1024 + m % 16 * 4
        for k in range(inputs):
            target[k // GROUP, place + k % GROUP // 4 * 64 + k % 4] = source[k]
