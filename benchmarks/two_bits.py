"""Ternary weights of 2 bits against bytes, for one row: ``python -m benchmarks.two_bits``.

One row is bound by reading its weights, so fewer bytes are faster. The kernel here is not fxsim's:
it shows what one for two bits would gain. It needs AVX-512 VNNI; wall clock, without the call from
Python, which is the same for both.
"""

from __future__ import annotations

import argparse
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from benchmarks.timing import cold, hot, machine, medians, publish
from fxsim.kernels import intrinsics as unit
from fxsim.kernels.packing import aligned, pack
from fxsim.kernels.target import Backend

_I32, _I64 = ir.IntType(32), ir.IntType(64)
_V16, _PTR = ir.VectorType(_I32, 16), ir.PointerType()


@intrinsic
def _panel(typing: Any, x: Any, panel: Any, groups: Any, less: Any, target: Any) -> Any:
    """One row times a panel of weights plus one, of two bits; ``less`` is the sum of the row."""
    dot_kind = ir.FunctionType(_V16, [_V16] * 3)
    fetch_kind = ir.FunctionType(ir.VoidType(), [_PTR, _I32, _I32, _I32])

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        x, panel, groups, less, target = args
        name = "llvm.x86.avx512.vpdpbusd.512"
        dot = cgutils.get_or_insert_function(builder.module, dot_kind, name)
        fetch = cgutils.get_or_insert_function(builder.module, fetch_kind, "llvm.prefetch.p0")

        def place(start: Any, offset: int) -> Any:
            return builder.inttoptr(builder.add(start, _I64(offset)), _PTR)

        def splat(word: Any) -> Any:
            zero = ir.Constant(_V16, [0] * 16)
            return builder.shuffle_vector(builder.insert_element(zero, word, _I32(0)), zero, zero)

        zero, low = ir.Constant(_V16, [0] * 16), ir.Constant(_V16, [0x03030303] * 16)
        first = splat(builder.neg(builder.trunc(less, _I32)))
        sums = [
            [cgutils.alloca_once_value(builder, zero if chain else first) for chain in range(4)]
            for _ in range(2)
        ]
        with cgutils.for_range(builder, groups) as loop:
            weights = builder.add(panel, builder.mul(loop.index, _I64(512)))
            source = builder.add(x, builder.mul(loop.index, _I64(64)))
            for half in range(2):
                for k in range(4):
                    offset = 256 * half + 64 * k
                    builder.call(fetch, [place(weights, offset + 2048), _I32(0), _I32(3), _I32(1)])
                    packed = builder.load(place(weights, offset), align=64, typ=_V16)
                    for chain, total in enumerate(sums[half]):
                        moved = builder.lshr(packed, ir.Constant(_V16, [2 * chain] * 16))
                        word = builder.load(place(source, 4 * k + 16 * chain), align=1, typ=_I32)
                        operands = builder.load(total, typ=_V16), splat(word)
                        found = builder.call(dot, [*operands, builder.and_(moved, low)])
                        builder.store(found, total)
        for half, chains in enumerate(sums):
            found = zero
            for total in chains:
                found = builder.add(found, builder.load(total, typ=_V16))
            builder.store(found, place(target, 64 * half), align=4)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 5), generate


@numba.njit
def _two_bits(panels: Any, x: Any, out: Any) -> None:
    total = 0
    for k in range(len(x)):
        total += x[k]
    for p in range(len(panels)):
        weights, groups = panels.ctypes.data + p * panels.strides[0], panels.shape[1]
        _panel(x.ctypes.data, weights, groups, total, out.ctypes.data + 128 * p)


@numba.njit
def _bytes(panels: Any, start: Any, x: Any, out: Any) -> None:
    for p in range(len(panels)):
        place, quads = panels.ctypes.data + p * panels.strides[0], 16 * panels.shape[1]
        begin, goal = start.ctypes.data + 128 * p, out.ctypes.data + 128 * p
        unit.dot_row((x.ctypes.data, 0, place, quads, begin, goal, 128), False)


def squeezed(panels: npt.NDArray[np.int8]) -> npt.NDArray[np.uint8]:
    """Panels of bytes to two bits: quad q at bit 2 (q // 4) of byte row q % 4."""
    count, groups, _ = panels.shape
    quads = (panels.reshape(count, groups, 2, 4, 4, 64) + 1).astype(np.uint8)
    found = aligned((count, groups, 512), np.uint8)
    shifts = np.array([0, 2, 4, 6], np.uint8)[:, None, None]
    found[:] = np.bitwise_or.reduce(quads << shifts, axis=3).reshape(found.shape)
    return found


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2, help="for each line and state")
    options = parser.parse_args()
    head = (
        "| 1 row, inputs = outputs | bytes, us | 2 bits, us | ratio | bytes, again, us | 2 bits, us"
    )
    lines = [f"{machine()}; wall clock.", "", f"{head} | ratio |", "|---" * 7 + "|"]
    facts: dict[int, list[float]] = {}
    for size in (256, 512, 1024, 2048, 4096):
        generator = np.random.default_rng(0)
        x = generator.integers(0, 256, size).astype(np.uint8)
        weight = generator.integers(-1, 2, (size, size)).astype(np.int8)
        panels, start = pack(weight, np.zeros(size, np.int64), Backend.VNNI)
        few, out = squeezed(panels), aligned((size,), np.int32)
        calls = {
            "bytes": lambda a=panels, b=start, x=x, out=out: _bytes(a, b, x, out),
            "two": lambda a=few, x=x, out=out: _two_bits(a, x, out),
        }
        for call in calls.values():
            out[:] = 0
            call()
            assert (out == weight.astype(np.int64) @ x).all()
        cells, facts[size] = "", []
        for before in (cold, hot):
            times = medians(calls, options.seconds, cpu=False, before=before)
            one, two = 1e6 * times["bytes"], 1e6 * times["two"]
            facts[size] += [one, two]
            cells += f" {one:.1f} | {two:.1f} | {one / two:.2f} |"
        lines.append(f"| {size} |{cells}")
    publish("two-bits", "\n".join(lines), {"microseconds": facts})


if __name__ == "__main__":
    main()
