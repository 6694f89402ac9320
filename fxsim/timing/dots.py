"""Cycles that a dot product takes, by weight code."""

from __future__ import annotations

from fxsim.arithmetic.codes import WeightCode


def dot_latency(code: WeightCode, simd: int, *, dsp: bool) -> int:
    """Cycles from ``simd`` operands to their sum: products, and a tree of ceil(log2(simd)).

    Products take 1 cycle without a multiplier, 2 in DSP blocks, and half the word length of a
    weight in LUTs (radix-4 digits).
    """
    products = 1 if not code.multiplies else 2 if dsp else -(-code.bits // 2)
    return products + (simd - 1).bit_length()
