"""Requantization of sixteen sums at once, for loops too short for the compiler's own vectors."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_I8, _I32, _I64 = (ir.IntType(bits) for bits in (8, 32, 64))
_LANES = 8


@intrinsic
def requantize_16(
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
    """Low bytes of 16 activations: clamp((sum * multiplier + rounding) >> shift + zero_point).

    The first three are addresses: of 32-bit sums, of 64-bit multipliers below 2**31, and of the
    bytes. ``base`` and ``sign`` round as in `fxsim.kernels.epilogue`.
    """
    words, longs, bytes_ = (ir.VectorType(kind, _LANES) for kind in (_I32, _I64, _I8))
    all_bytes = ir.VectorType(_I8, 2 * _LANES)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def place(address: Any, offset: int) -> Any:
            return builder.inttoptr(builder.add(address, _I64(offset)), ir.PointerType())

        def splat(value: Any, kind: Any) -> Any:
            single = builder.insert_element(ir.Constant(kind, [0] * kind.count), value, _I32(0))
            zeros = ir.Constant(ir.VectorType(_I32, kind.count), [0] * kind.count)
            return builder.shuffle_vector(single, single, zeros)

        def call(name: str, left: Any, right: Any) -> Any:
            kind = ir.FunctionType(longs, [longs, longs])
            function = cgutils.get_or_insert_function(builder.module, kind, name)
            return builder.call(function, [left, right])

        def half(first: int) -> Any:
            """Bytes of eight activations, the zero point still missing."""
            sums = builder.load(place(args[0], 4 * first), align=4, typ=words)
            factors = builder.load(place(args[1], 8 * first), align=8, typ=longs)
            # Through 32 bits, so that one multiplication instruction does it.
            factors = builder.sext(builder.trunc(factors, words), longs)
            value = builder.mul(builder.sext(sums, longs), factors)
            negative = builder.ashr(value, ir.Constant(longs, [63] * _LANES))
            value = builder.add(value, builder.add(plus, builder.and_(negative, mask)))
            value = builder.ashr(value, cut)
            value = call("llvm.smin.v8i64", call("llvm.smax.v8i64", value, least), most)
            return builder.trunc(value, bytes_)

        base, sign, shift, zero_point, low, high = args[3:]
        limits = builder.sub(low, zero_point), builder.sub(high, zero_point)
        plus, mask, cut, least, most = (
            splat(value, longs) for value in (base, sign, shift, *limits)
        )
        order = ir.Constant(ir.VectorType(_I32, 2 * _LANES), list(range(2 * _LANES)))
        joined = builder.shuffle_vector(half(0), half(_LANES), order)
        offset = splat(builder.trunc(zero_point, _I8), all_bytes)
        builder.store(builder.add(joined, offset), place(args[2], 0), align=1)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 9), generate
