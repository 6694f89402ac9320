"""Unsigned bytes times packed weights, to sums modulo 2**32; callable from other kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from numba.extending import overload

from fxsim.kernels import intrinsics as unit
from fxsim.kernels.blocks import (
    FEW,
    Block,
    LanePlaces,
    PairPlaces,
    Places,
    TilePlaces,
    begin,
    end,
    excess_of,
    height_of_blocks,
    multiply_block,
    places_of,
    row_of_panel,
    rows_touched,
)
from fxsim.kernels.epilogue import Epilogue, finish_block
from fxsim.kernels.jit import jit
from fxsim.kernels.packing import LaneWeight, PackedWeight, PairWeight, TileWeight

_SLACK = 64
_RESIDENT = 1 << 20  # bytes of weights that stay in L2 while the rows pass


@jit
def _copy_rows(x: npt.NDArray[np.uint8], flip: int, rows: npt.NDArray[np.uint8]) -> None:
    bits = np.uint8(flip)
    for i in range(len(x)):
        source, target = x[i], rows[i, : x.shape[1]]
        for k in range(len(source)):
            target[k] = source[k] ^ bits


@jit
def packed_products(
    x: npt.NDArray[np.uint8],
    flip: int,
    places: Places,
    epilogue: Epilogue | None,
    out: npt.NDArray[Any],
) -> None:
    """Sums of (``x`` ^ ``flip``), shape (rows, bytes), to ``out``, shape (rows, outputs).

    ``x`` has a byte an input, or two and a ``flip`` of 0 where weights are words. ``out`` takes the
    32-bit sums, or with an `Epilogue` the low bits of the activations.
    """
    count, size = x.shape
    outputs = out.shape[1]
    groups = places.groups
    panels = (outputs + 31) // 32
    stride = groups * 64 + _SLACK
    block = height_of_blocks(places)
    raw = np.empty(block * (stride + 128) + 64, np.uint8)
    begun = -unit.address(raw) % 64
    sums = raw[begun : begun + block * 128].view(np.int32).reshape((block, 32))
    begun += block * 128
    rows = raw[begun : begun + block * stride].reshape((block, stride))
    chunk = max(1, _RESIDENT // (groups * 2048))
    if count > FEW:
        begin(places)
    for first in range(0, panels, chunk):
        for top in range(0, count, block):
            height = min(block, count - top)
            touched = rows_touched(places, height)
            # Few panels do not repay a copy. What is read past a row must be there: other rows.
            rest = (count - top - touched + 1) * size
            direct = flip == 0 and panels <= 2 and rest >= groups * 64
            if direct:
                x_place, x_pitch = unit.address(x) + top * x.strides[0], x.strides[0]
            else:
                x_place, x_pitch = unit.address(rows), stride
                _copy_rows(x[top : top + height], flip, rows)
            for p in range(first, min(first + chunk, panels)):
                width = min(32, outputs - 32 * p)
                final = unit.address(out) + (top * outputs + 32 * p) * 4
                target, pitch = unit.address(sums), 128
                whole = epilogue is None and width == 32 and touched == height
                if whole:
                    target, pitch = final, 4 * outputs
                source = x_place, x_pitch, size, height
                multiply_block(places, Block(*source, p, width, top > 0, target, pitch))
                if epilogue is not None:
                    finish_block(sums, height, width, top, 32 * p, epilogue, out)
                elif not whole:
                    for i in range(height):
                        source_i = unit.address(sums) + 128 * i
                        unit.copy(final + 4 * outputs * i, source_i, 4 * width)
    if count > FEW:
        end(places)


# Called from Python, numba takes longer for an array than for all addresses together, and for the
# type of a named tuple than for anything else, hence plain tuples of numbers.


@jit
def _enter(x: Any, flip: int, places: Places, epilogue: Any, out: Any) -> None:
    if epilogue is None:
        packed_products(x, flip, places, None, out)
    else:
        packed_products(x, flip, places, Epilogue(*epilogue), out)


@jit
def _tile_entry(x: Any, flip: int, places: Any, epilogue: Any, out: Any) -> None:
    _enter(x, flip, TilePlaces(*places), epilogue, out)


@jit
def _lane_entry(x: Any, flip: int, places: Any, epilogue: Any, out: Any) -> None:
    _enter(x, flip, LanePlaces(*places), epilogue, out)


@jit
def _pair_entry(x: Any, flip: int, places: Any, epilogue: Any, out: Any) -> None:
    _enter(x, flip, PairPlaces(*places), epilogue, out)


_ENTRIES = {TileWeight: _tile_entry, LaneWeight: _lane_entry, PairWeight: _pair_entry}


def entry_of(weight: PackedWeight) -> tuple[Callable[..., None], tuple[Any, ...]]:
    """`packed_products` for calls from Python, and its ``places``; who calls keeps ``weight``."""
    return _ENTRIES[type(weight)], tuple(places_of(weight))


@jit
def row_products(places: Places, panels: int, x: int, out: int, back: bool) -> None:
    """`multiply` for one row and without memory of its own: addresses of all inputs and all sums.

    Calls that alternate in ``back`` find what the last one has read in the nearest cache.
    """
    excess = excess_of(places, x)
    for i in range(panels):
        p = panels - 1 - i if back else i
        row_of_panel(places, p, x, excess, out + 128 * p, True)


@jit
def _packed_sums(
    x: npt.NDArray[np.uint8], flip: int, weight: PackedWeight, out: npt.NDArray[np.int32]
) -> None:
    packed_products(x, flip, places_of(weight), None, out)


def multiply(
    x: npt.NDArray[np.uint8], flip: int, weight: PackedWeight, out: npt.NDArray[np.int32]
) -> None:
    """Fill ``out`` (rows, outputs) with start values plus (``x`` ^ ``flip``) times weights.

    ``x`` has shape (rows, bytes), as in `packed_products`, and contiguous rows; sums are modulo
    2**32.
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
    products = _packed_sums if weight.instance_class in _ENTRIES else _plain_products

    def choose(x: Any, flip: Any, weight: Any, out: Any) -> Any:
        products(x, flip, weight, out)

    return choose
