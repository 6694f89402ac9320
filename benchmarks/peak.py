"""Rates of loops that touch registers only: what no product can pass."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from benchmarks.timing import medians
from fxsim.kernels import intrinsics as unit
from fxsim.kernels.packing import aligned
from fxsim.kernels.target import Backend, obstacles

_CONFIG = unit.TILE_CONFIG
_SUMS = 24
_TIMES = 100_000


@intrinsic
def _dots(typing: Any, times: Any, source: Any, target: Any) -> Any:
    """``times`` times 24 independent ``vpdpbusd`` of the two registers at ``source``."""
    vector, address = ir.VectorType(ir.IntType(32), 16), ir.PointerType()
    kind = ir.FunctionType(vector, [vector] * 3)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def place(start: Any, index: int) -> Any:
            return builder.inttoptr(builder.add(start, ir.IntType(64)(64 * index)), address)

        name = "llvm.x86.avx512.vpdpbusd.512"
        dot = cgutils.get_or_insert_function(builder.module, kind, name)
        pair = [builder.load(place(args[1], k), align=64, typ=vector) for k in range(2)]
        sums = [cgutils.alloca_once_value(builder, pair[0]) for _ in range(_SUMS)]
        with cgutils.for_range(builder, args[0]):
            for total in sums:
                builder.store(builder.call(dot, [builder.load(total, typ=vector), *pair]), total)
        for k, total in enumerate(sums):
            builder.store(builder.load(total, typ=vector), place(args[2], k), align=64)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 3), generate


@numba.njit
def _lanes(times: int, source: Any, target: Any) -> None:
    _dots(times, source.ctypes.data, target.ctypes.data)


@numba.njit
def _tiles(times: int) -> None:
    unit.tile_config(_CONFIG.ctypes.data)  # sets all tiles to zero
    for _ in range(times):
        unit.tile_dot(0, 4, 6)
        unit.tile_dot(1, 4, 7)
        unit.tile_dot(2, 5, 6)
        unit.tile_dot(3, 5, 7)
    unit.tile_release()


def peaks(seconds: float = 1) -> dict[str, float]:
    """GMAC/s of one core, of each unit that numba's target has; compiles no other."""
    found = {}
    if not obstacles()[Backend.AMX]:
        time = medians({"amx": lambda: _tiles(_TIMES)}, seconds)["amx"]
        found["amx"] = 4 * 16 * 16 * 64 * _TIMES / time / 1e9
    if not obstacles()[Backend.VNNI]:
        source, target = aligned((128,), np.uint8), aligned((64 * _SUMS,), np.uint8)
        source[:] = 1
        time = medians({"vnni": lambda: _lanes(_TIMES, source, target)}, seconds)["vnni"]
        found["vnni"] = _SUMS * 64 * _TIMES / time / 1e9
    return found
