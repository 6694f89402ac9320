"""Unsigned bytes times packed weights, to sums modulo 2**32; callable from other kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba.extending import overload

from fxsim.kernels import intrinsics as unit
from fxsim.kernels.epilogue import Epilogue, finish_block
from fxsim.kernels.jit import jit
from fxsim.kernels.packing import LaneWeight, PackedWeight, PairWeight, TileWeight

_TILE_ROWS, _LANE_ROWS = 32, 48
"""Rows of activations that are taken at a time: two tiles (AVX2 as well), or four times what
registers hold."""

FEW = 4
"""Rows for which tiles, which always compute 16, do not pay."""

_SLACK = 64
_RESIDENT = 1 << 20  # bytes of weights that stay in L2 while the rows pass
_CONFIG = unit.TILE_CONFIG


def _begin_on_tiles(weight: Any) -> Any:
    unit.tile_config(_CONFIG.ctypes.data)


def _end_on_tiles(weight: Any) -> Any:
    unit.tile_release()


def _nothing(weight: Any) -> Any:
    pass


@jit
def _tile_block(
    x: int, stride: int, panel: int, groups: int, start: int, target: int, pitch: int, rows: int
) -> None:
    """``rows`` (at most 32) by 32 sums; ``start`` is loaded with stride 0, once for every row."""
    unit.tile_load(0, start, 0)
    unit.tile_load(1, start + 64, 0)
    if rows > 16:
        unit.tile_load(2, start, 0)
        unit.tile_load(3, start + 64, 0)
        below = x + 16 * stride
        for _ in range(groups):
            unit.tile_load(4, x, stride)
            unit.tile_stream(6, panel, 64)
            unit.tile_stream(7, panel + 1024, 64)
            unit.tile_dot(0, 4, 6)
            unit.tile_dot(1, 4, 7)
            unit.tile_load(5, below, stride)
            unit.tile_dot(2, 5, 6)
            unit.tile_dot(3, 5, 7)
            x += 64
            below += 64
            panel += 2048
        unit.tile_store(2, target + 16 * pitch, pitch)
        unit.tile_store(3, target + 16 * pitch + 64, pitch)
    else:
        for _ in range(groups):
            unit.tile_load(4, x, stride)
            unit.tile_stream(6, panel, 64)
            unit.tile_stream(7, panel + 1024, 64)
            unit.tile_dot(0, 4, 6)
            unit.tile_dot(1, 4, 7)
            x += 64
            panel += 2048
    unit.tile_store(0, target, pitch)
    unit.tile_store(1, target + 64, pitch)


@jit
def _lane_block(
    x: int,
    stride: int,
    panel: int,
    inputs: int,
    start: int,
    target: int,
    pitch: int,
    rows: int,
    width: int,
    again: bool,
) -> None:
    row, quads, whole = 0, (inputs + 15) // 16 * 4, (inputs + 63) // 64 * 16
    while row < rows:
        source, result = x + row * stride, target + row * pitch
        if width <= 16 and rows - row >= 16:
            unit.dot_16_rows_half(source, stride, panel, quads, start, result, pitch, again)
            row += 16
        elif rows - row >= 12:
            unit.dot_12_rows(source, stride, panel, quads, start, result, pitch, again)
            row += 12
        elif rows - row >= 4:
            unit.dot_4_rows(source, stride, panel, quads, start, result, pitch, again)
            row += 4
        else:
            unit.dot_row(source, stride, panel, whole, start, result, pitch, again)
            row += 1
        again = True


@jit
def _pair_block(
    x: int,
    stride: int,
    panel: int,
    groups: int,
    start: int,
    target: int,
    pitch: int,
    rows: int,
    short: bool,
) -> None:
    row = 0
    while row < rows:
        size = 4 if rows - row >= 4 else 1
        source, result = x + row * stride, target + row * pitch
        unit.pair_rows(source, stride, panel, groups, start, result, pitch, size, short)
        row += size


@jit
def _any_block(
    x: int,
    stride: int,
    panel: int,
    inputs: int,
    start: int,
    target: int,
    pitch: int,
    rows: int,
    width: int,
    again: bool,
) -> None:
    if rows > FEW:
        _tile_block(x, stride, panel, (inputs + 63) // 64, start, target, pitch, rows)
    else:
        _lane_block(x, stride, panel, inputs, start, target, pitch, rows, width, again)


def _begin(weight: PackedWeight) -> None:
    """Before the first block of a call."""


def _end(weight: PackedWeight) -> None:
    """After the last one."""


def _block(
    weight: PackedWeight,
    x: int,
    stride: int,
    panel: int,
    inputs: int,
    start: int,
    target: int,
    pitch: int,
    rows: int,
    width: int,
    again: bool,
) -> None:
    """One block of rows and the first ``width`` outputs of one panel, ``again`` if it was read."""


def _rows_at_a_time(weight: PackedWeight) -> Any:
    """Height of a block."""


def _read_rows(weight: PackedWeight, height: int) -> Any:
    """Rows that are read for a block of ``height``: tiles always read 16."""


def _rows_of_tiles(weight: Any, height: Any) -> Any:
    return height if height <= FEW else (height + 15) // 16 * 16


def _rows_of_lanes(weight: Any, height: Any) -> Any:
    return height


def _tile_rows(weight: Any) -> Any:
    return _TILE_ROWS


def _lane_rows(weight: Any) -> Any:
    return _LANE_ROWS


def _is(kind: Any, weight: Any) -> bool:
    return getattr(weight, "instance_class", None) is kind


@overload(_rows_at_a_time)
def _rows_at_a_time_overload(weight: Any) -> Any:
    return _lane_rows if _is(LaneWeight, weight) else _tile_rows


@overload(_read_rows)
def _read_rows_overload(weight: Any, height: Any) -> Any:
    return _rows_of_tiles if _is(TileWeight, weight) else _rows_of_lanes


@overload(_begin)
def _begin_overload(weight: Any) -> Any:
    return _begin_on_tiles if _is(TileWeight, weight) else _nothing


@overload(_end)
def _end_overload(weight: Any) -> Any:
    return _end_on_tiles if _is(TileWeight, weight) else _nothing


@overload(_block)
def _block_overload(
    weight: Any,
    x: Any,
    stride: Any,
    panel: Any,
    inputs: Any,
    start: Any,
    target: Any,
    pitch: Any,
    rows: Any,
    width: Any,
    again: Any,
) -> Any:
    block = _any_block if _is(TileWeight, weight) else _lane_block

    def choose(
        weight: Any,
        x: Any,
        stride: Any,
        panel: Any,
        inputs: Any,
        start: Any,
        target: Any,
        pitch: Any,
        rows: Any,
        width: Any,
        again: Any,
    ) -> Any:
        block(x, stride, panel, inputs, start, target, pitch, rows, width, again)

    def choose_pairs(
        weight: Any,
        x: Any,
        stride: Any,
        panel: Any,
        inputs: Any,
        start: Any,
        target: Any,
        pitch: Any,
        rows: Any,
        width: Any,
        again: Any,
    ) -> Any:
        groups = (inputs + 63) // 64
        _pair_block(x, stride, panel, groups, start, target, pitch, rows, weight.short)

    return choose_pairs if _is(PairWeight, weight) else choose


@jit
def packed_products(
    x: npt.NDArray[np.uint8],
    flip: int,
    weight: PackedWeight,
    epilogue: Epilogue | None,
    out: npt.NDArray[Any],
) -> None:
    """Sums of (``x`` ^ ``flip``), shape (rows, inputs), to ``out``, shape (rows, outputs).

    ``out`` takes the 32-bit sums, or with an `Epilogue` the low bytes of the activations.
    """
    count, inputs = x.shape
    outputs = out.shape[1]
    groups = weight.panels.shape[1]
    panels = (outputs + 31) // 32
    stride = groups * 64 + _SLACK
    block = _rows_at_a_time(weight)
    raw = np.empty(block * (stride + 128) + 64, np.uint8)
    begin = -raw.ctypes.data % 64
    sums = raw[begin : begin + block * 128].view(np.int32).reshape((block, 32))
    begin += block * 128
    rows = raw[begin : begin + block * stride].reshape((block, stride))
    bits = np.uint8(flip)
    chunk = max(1, _RESIDENT // (groups * 2048))
    if count > FEW:
        _begin(weight)
    for first in range(0, panels, chunk):
        for top in range(0, count, block):
            height = min(block, count - top)
            # Few panels do not repay a copy. What is read past a row must be there: other rows.
            rest = (count - top - _read_rows(weight, height) + 1) * inputs
            direct = flip == 0 and panels <= 2 and rest >= groups * 64
            if direct:
                place_x, pitch_x = x.ctypes.data + top * x.strides[0], x.strides[0]
            else:
                place_x, pitch_x = rows.ctypes.data, stride
                for i in range(height):
                    source, target = x[top + i], rows[i, :inputs]
                    for k in range(inputs):
                        target[k] = source[k] ^ bits
            for p in range(first, min(first + chunk, panels)):
                width = min(32, outputs - 32 * p)
                panel = weight.panels.ctypes.data + p * groups * 2048
                start = weight.start.ctypes.data + 128 * p
                place, pitch, whole = sums.ctypes.data, 128, False
                if epilogue is None:
                    whole = width == 32 and (height == block or height == 16 or height <= FEW)
                    if whole:
                        place, pitch = out.ctypes.data + (top * outputs + 32 * p) * 4, 4 * outputs
                _block(
                    weight, place_x, pitch_x, panel, inputs, start, place, pitch, height, width,
                    top > 0,
                )  # fmt: skip
                if epilogue is not None:
                    finish_block(sums, height, width, top, 32 * p, epilogue, out)
                elif not whole:
                    for i in range(height):
                        goal = out.ctypes.data + ((top + i) * outputs + 32 * p) * 4
                        unit.copy(goal, sums.ctypes.data + 128 * i, 4 * width)
    if count > FEW:
        _end(weight)


# Called from Python, numba takes as long for the type of a named tuple as for all other arguments
# together, hence plain ones.


@jit
def _tile_entry(x: Any, flip: int, weight: Any, epilogue: Any, out: Any) -> None:
    if epilogue is None:
        packed_products(x, flip, TileWeight(*weight), None, out)
    else:
        packed_products(x, flip, TileWeight(*weight), Epilogue(*epilogue), out)


@jit
def _lane_entry(x: Any, flip: int, weight: Any, epilogue: Any, out: Any) -> None:
    if epilogue is None:
        packed_products(x, flip, LaneWeight(*weight), None, out)
    else:
        packed_products(x, flip, LaneWeight(*weight), Epilogue(*epilogue), out)


@jit
def _pair_entry(x: Any, flip: int, weight: Any, epilogue: Any, out: Any) -> None:
    if epilogue is None:
        packed_products(x, flip, PairWeight(*weight), None, out)
    else:
        packed_products(x, flip, PairWeight(*weight), Epilogue(*epilogue), out)


entries = {TileWeight: _tile_entry, LaneWeight: _lane_entry, PairWeight: _pair_entry}
"""`packed_products` by type of weight, for calls with plain tuples."""


@jit
def row_of(
    weight: PackedWeight, x: npt.NDArray[np.uint8], out: npt.NDArray[np.int32]
) -> tuple[int, int, int, int, int, int]:
    """Packed weights, a row of as many inputs and room for the sums, for `row_products`."""
    panels, groups, _ = weight.panels.shape
    places = x.ctypes.data, out.ctypes.data
    return panels, groups, weight.panels.ctypes.data, weight.start.ctypes.data, *places


@jit
def row_products(row: tuple[int, int, int, int, int, int], back: bool) -> None:
    """`multiply` for one row and without memory of its own.

    Calls that alternate in ``back`` find what the last one has read in the nearest cache.
    """
    panels, groups, panel, start, x, out = row
    for i in range(panels):
        p = panels - 1 - i if back else i
        place = panel + p * groups * 2048
        unit.dot_row(x, 0, place, 16 * groups, start + 128 * p, out + 128 * p, 128, True)


@jit
def _packed_sums(
    x: npt.NDArray[np.uint8], flip: int, weight: PackedWeight, out: npt.NDArray[np.int32]
) -> None:
    packed_products(x, flip, weight, None, out)


def multiply(
    x: npt.NDArray[np.uint8], flip: int, weight: PackedWeight, out: npt.NDArray[np.int32]
) -> None:
    """Fill ``out`` (rows, outputs) with start values plus (``x`` ^ ``flip``) times weights.

    ``x`` has shape (rows, inputs) and contiguous rows; sums are modulo 2**32.
    """
    for i in range(len(x)):
        out[i] = weight.start
        for k in range(x.shape[1]):
            out[i] += np.int32(x[i, k] ^ flip) * weight.columns[k]


@jit
def _plain_products(
    x: npt.NDArray[np.uint8], flip: int, weight: PackedWeight, out: npt.NDArray[np.int32]
) -> None:
    count, inputs = x.shape
    outputs = out.shape[1]
    for i in range(count):
        row = out[i]
        for j in range(outputs):
            row[j] = weight.start[j]
        for k in range(inputs):
            value = np.int32(x[i, k] ^ np.uint8(flip))
            if value != 0:
                column = weight.columns[k]
                for j in range(outputs):
                    row[j] = np.int32(row[j] + np.int32(value * column[j]))


@overload(multiply)
def _multiply_overload(x: Any, flip: Any, weight: Any, out: Any) -> Any:
    packed = any(_is(kind, weight) for kind in (TileWeight, LaneWeight, PairWeight))
    products = _packed_sums if packed else _plain_products

    def choose(x: Any, flip: Any, weight: Any, out: Any) -> Any:
        products(x, flip, weight, out)

    return choose
