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
def requantize_16(typing: Any, places: Any, constants: Any, out: Any) -> Any:
    """Low bits of 16 activations.

    clamp((((sum * multiplier + offset) & keep) + rounding) >> shift + zero_point)

    ``places`` are addresses: of 32-bit sums, of 64-bit multipliers below 2**31, of 64-bit offsets,
    and of the result, of the type of the array ``out``. ``constants`` are base and sign of
    `fxsim.kernels.epilogue`, shift, zero point, least and greatest activation, and keep.
    """
    narrow = ir.IntType(out.dtype.bitwidth)
    words, longs, results = (ir.VectorType(kind, _LANES) for kind in (_I32, _I64, narrow))
    all_results = ir.VectorType(narrow, 2 * _LANES)

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
            """Eight activations, the zero point still missing."""
            sums = builder.load(place(source, 4 * first), align=4, typ=words)
            factors = builder.load(place(multiplier, 8 * first), align=8, typ=longs)
            # Through 32 bits, so that one multiplication instruction does it.
            factors = builder.sext(builder.trunc(factors, words), longs)
            offsets = builder.load(place(offset, 8 * first), align=8, typ=longs)
            value = builder.add(builder.mul(builder.sext(sums, longs), factors), offsets)
            value = builder.and_(value, kept)
            negative = builder.ashr(value, ir.Constant(longs, [63] * _LANES))
            value = builder.add(value, builder.add(plus, builder.and_(negative, mask)))
            value = builder.ashr(value, cut)
            value = call("llvm.smin.v8i64", call("llvm.smax.v8i64", value, least), most)
            return builder.trunc(value, results)

        source, multiplier, offset, target = cgutils.unpack_tuple(builder, args[0])
        base, sign, shift, zero_point, low, high, keep = cgutils.unpack_tuple(builder, args[1])
        limits = builder.sub(low, zero_point), builder.sub(high, zero_point)
        plus, mask, cut, least, most, kept = (
            splat(value, longs) for value in (base, sign, shift, *limits, keep)
        )
        order = ir.Constant(ir.VectorType(_I32, 2 * _LANES), list(range(2 * _LANES)))
        joined = builder.shuffle_vector(half(0), half(_LANES), order)
        zero = splat(builder.trunc(zero_point, narrow), all_results)
        builder.store(builder.add(joined, zero), place(target, 0), align=1)
        return context.get_dummy_value()

    return types.void(types.UniTuple(types.intp, 4), types.UniTuple(types.intp, 7), out), generate
