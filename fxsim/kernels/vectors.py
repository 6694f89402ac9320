"""Requantization of eight sums at once, for loops too short for the compiler to make vectors of."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_I8, _I32, _I64 = (ir.IntType(bits) for bits in (8, 32, 64))
_LANES = 8


@intrinsic
def requantize_8(
    typing: Any,
    source: Any,
    multiplier: Any,
    target: Any,
    base: Any,
    sign: Any,
    shift: Any,
    zero_point: Any,
    low: Any,
    high: Any,
) -> Any:
    """Low bytes of eight activations: clamp((sum * multiplier + rounding) >> shift + zero_point).

    The first three are addresses: of 32-bit sums, of 64-bit multipliers below 2**31, and of the
    bytes. ``base`` and ``sign`` round as in `fxsim.kernels.epilogue`.
    """
    words, longs, bytes_ = (ir.VectorType(kind, _LANES) for kind in (_I32, _I64, _I8))

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def load(address: Any, kind: Any, align: int) -> Any:
            return builder.load(builder.inttoptr(address, ir.PointerType()), align=align, typ=kind)

        def splat(value: Any) -> Any:
            single = builder.insert_element(ir.Constant(longs, [0] * _LANES), value, _I32(0))
            zeros = ir.Constant(ir.VectorType(_I32, _LANES), [0] * _LANES)
            return builder.shuffle_vector(single, single, zeros)

        def call(name: str, left: Any, right: Any) -> Any:
            kind = ir.FunctionType(longs, [longs, longs])
            function = cgutils.get_or_insert_function(builder.module, kind, name)
            return builder.call(function, [left, right])

        plus, mask, cut, offset, least, most = map(splat, args[3:])
        sums = builder.sext(load(args[0], words, 4), longs)
        # Through 32 bits, so that one multiplication instruction does it.
        factors = builder.sext(builder.trunc(load(args[1], longs, 8), words), longs)
        value = builder.mul(sums, factors)
        negative = builder.ashr(value, ir.Constant(longs, [63] * _LANES))
        value = builder.add(value, builder.add(plus, builder.and_(negative, mask)))
        value = builder.add(builder.ashr(value, cut), offset)
        value = call("llvm.smin.v8i64", call("llvm.smax.v8i64", value, least), most)
        place = builder.inttoptr(args[2], ir.PointerType())
        builder.store(builder.trunc(value, bytes_), place, align=1)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 9), generate
