"""A block of activations times one panel of weights: the inner loop of every product, on each unit.

Compiled code is specialised to the type of the packed weights and of their places. The functions at
the end have an implementation for each kind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numba.extending import overload, register_jitable

from fxsim.kernels import intrinsics as unit
from fxsim.kernels.jit import jit
from fxsim.kernels.packing import LaneWeight, PackedWeight, PairWeight, TileWeight

FEW = 4
"""Rows for which tiles, which always compute 16, do not pay."""

_TILE_ROWS, _LANE_ROWS = 32, 48
"""Heights of a block: two tiles (AVX2 as well), or four times what registers hold."""

_CONFIG = unit.TILE_CONFIG


class Block(NamedTuple):
    """Rows of activations that meet a panel, and where their sums go; places are addresses."""

    x: int
    stride: int
    size: int
    """Bytes of a row."""
    rows: int
    panel: int
    """Number of the panel."""
    width: int
    """Outputs of the panel that are wanted; the first of 32."""
    again: bool
    """True if the panel was read before."""
    target: int
    pitch: int


class TilePlaces(NamedTuple):
    """Addresses of a `TileWeight`, so that no loop counts references to arrays."""

    kind: np.int8
    """A zero of the type of the weights."""
    groups: int
    panels: int
    narrow: int
    """0 where there are none."""
    start: int


class LanePlaces(NamedTuple):
    """Addresses of a `LaneWeight`."""

    kind: np.int8 | np.int16
    groups: int
    panels: int
    narrow: int
    start: int


class PairPlaces(NamedTuple):
    """Addresses of a `PairWeight`."""

    groups: int
    panels: int
    start: int
    short: bool


Places: TypeAlias = Any
"""Any of the three; compiled code is specialised to the one that it gets."""


@register_jitable
def _fields(weight: TileWeight | LaneWeight) -> tuple[Any, int, int, int, int]:
    panels = weight.panels
    narrow = unit.address(weight.narrow) if len(weight.narrow) > 0 else 0
    places = unit.address(panels), narrow, unit.address(weight.start)
    return panels.dtype.type(0), panels.shape[1], places[0], places[1], places[2]


def _places_of_tiles(weight: TileWeight) -> TilePlaces:
    return TilePlaces(*_fields(weight))


def _places_of_lanes(weight: LaneWeight) -> LanePlaces:
    return LanePlaces(*_fields(weight))


def _places_of_pairs(weight: PairWeight) -> PairPlaces:
    panels, start = weight.panels, unit.address(weight.start)
    return PairPlaces(panels.shape[1], unit.address(panels), start, weight.short)


@jit
def excess_of(places: TilePlaces | LanePlaces, x: int) -> int:
    """Arguments of `row_of_panel` for a row."""
    return unit.narrow_excess(x, places.groups) if places.narrow != 0 else 0


@jit
def row_of_panel(
    places: TilePlaces | LanePlaces, panel: int, x: int, excess: int, target: int, again: bool
) -> None:
    """One row of activations at ``x``, as many as weights have inputs, to 32 sums at ``target``."""
    groups, start = places.groups, places.start + 128 * panel
    if places.narrow != 0:
        weights = places.narrow + panel * groups * 512
        unit.dot_row_narrow((x, excess, weights, groups, start, target), again)
    else:
        weights = places.panels + panel * groups * 2048
        unit.dot_row((x, 0, weights, 16 * groups, start, target, 0), places.kind, again)


@jit
def _on_tiles(places: TilePlaces, block: Block) -> None:
    """Fill two or four tiles; start values are loaded with stride 0, once for every row."""
    groups, start = places.groups, places.start + 128 * block.panel
    panel = places.panels + block.panel * groups * 2048
    x, stride, target, pitch = block.x, block.stride, block.target, block.pitch
    below, tall = x + 16 * stride, block.rows > 16
    unit.tile_load(0, start, 0)
    unit.tile_load(1, start + 64, 0)
    if tall:
        unit.tile_load(2, start, 0)
        unit.tile_load(3, start + 64, 0)
    for _ in range(groups):
        unit.tile_load(4, x, stride)
        unit.tile_stream(6, panel, 64)
        unit.tile_stream(7, panel + 1024, 64)
        unit.tile_dot(0, 4, 6)
        unit.tile_dot(1, 4, 7)
        if tall:
            unit.tile_load(5, below, stride)
            unit.tile_dot(2, 5, 6)
            unit.tile_dot(3, 5, 7)
        x += 64
        below += 64
        panel += 2048
    if tall:
        unit.tile_store(2, target + 16 * pitch, pitch)
        unit.tile_store(3, target + 16 * pitch + 64, pitch)
    unit.tile_store(0, target, pitch)
    unit.tile_store(1, target + 64, pitch)


@jit
def _on_lanes(places: TilePlaces | LanePlaces, block: Block) -> None:
    panel = places.panels + block.panel * places.groups * 2048
    start = places.start + 128 * block.panel
    stride, pitch, quads = block.stride, block.pitch, (block.size + 15) // 16 * 4
    row, kind, again = 0, places.kind, block.again
    while row < block.rows:
        left, x, target = block.rows - row, block.x + row * stride, block.target + row * pitch
        rows = x, stride, panel, quads, start, target, pitch
        if block.width <= 16 and left >= 16:
            unit.dot_16_rows_half(rows, kind, again)
            row += 16
        elif left >= 12:
            unit.dot_12_rows(rows, kind, again)
            row += 12
        elif left >= 4:
            unit.dot_4_rows(rows, kind, again)
            row += 4
        else:
            row_of_panel(places, block.panel, x, excess_of(places, x), target, again)
            row += 1
        again = True


def _block_on_tiles(places: TilePlaces, block: Block) -> None:
    if block.rows > FEW:
        _on_tiles(places, block)
    else:
        _on_lanes(places, block)


def _block_on_lanes(places: LanePlaces, block: Block) -> None:
    _on_lanes(places, block)


def _block_on_pairs(places: PairPlaces, block: Block) -> None:
    groups, start = places.groups, places.start + 128 * block.panel
    panel = places.panels + block.panel * groups * 2048
    row = 0
    while row < block.rows:
        size = 4 if block.rows - row >= 4 else 1
        x, target = block.x + row * block.stride, block.target + row * block.pitch
        rows = x, block.stride, panel, groups, start, target, block.pitch
        unit.pair_rows(rows, size, places.short)
        row += size


def _begin_on_tiles(places: TilePlaces) -> None:
    unit.tile_config(unit.address(_CONFIG))


def _end_on_tiles(places: TilePlaces) -> None:
    unit.tile_release()


def _nothing(places: Places) -> None:
    pass


def rows_of_tiles(places: TilePlaces, height: int) -> int:
    """`rows_touched` by tiles: always 16, or 32."""
    return height if height <= FEW else (height + 15) // 16 * 16


def _rows_themselves(places: Places, height: int) -> int:
    return height


def places_of(weight: PackedWeight) -> Places:
    """Addresses of weights, of a type that says which kernel they are for."""
    return _PLACES[type(weight)](weight)


def begin(places: Places) -> None:
    """Before the first block of a call."""


def end(places: Places) -> None:
    """After the last one."""


def height_of_blocks(places: Places) -> int:
    """Rows of a block, at most."""
    raise NotImplementedError


def rows_touched(places: Places, height: int) -> int:
    """Rows that are read, and written, for a block of ``height``."""
    raise NotImplementedError


def multiply_block(places: Places, block: Block) -> None:
    """Start values plus products, for the first ``width`` outputs; others are left or written."""


_KINDS = ((TileWeight, TilePlaces), (LaneWeight, LanePlaces), (PairWeight, PairPlaces))


def _implement(operation: Any, *implementations: Any) -> None:
    """For tiles, lanes and pairs; what is chosen depends on the type of the first argument."""
    of = {
        kind: found for kinds, found in zip(_KINDS, implementations, strict=True) for kind in kinds
    }

    @overload(operation, strict=False)
    def choose(first: Any, *rest: Any) -> Callable[..., Any]:
        found: Callable[..., Any] = of[first.instance_class]
        return found


_PLACES: dict[Any, Any] = {
    TileWeight: _places_of_tiles,
    LaneWeight: _places_of_lanes,
    PairWeight: _places_of_pairs,
}
_implement(places_of, *_PLACES.values())
_implement(begin, _begin_on_tiles, _nothing, _nothing)
_implement(end, _end_on_tiles, _nothing, _nothing)
_implement(
    height_of_blocks,
    lambda places: _TILE_ROWS,
    lambda places: _LANE_ROWS,
    lambda places: _TILE_ROWS,
)
_implement(rows_touched, rows_of_tiles, _rows_themselves, _rows_themselves)
_implement(multiply_block, _block_on_tiles, _block_on_lanes, _block_on_pairs)
