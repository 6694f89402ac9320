"""Matrix-vector products with a modelled accumulator, and requantization."""

from __future__ import annotations

import numpy as np

from fxsim.kernels.arith import shift_round, wrap
from fxsim.kernels.jit import jit
from fxsim.network import IntArray


@jit
def accumulate_wide(x: IntArray, weight: IntArray, bias: IntArray) -> IntArray:
    """Accumulators (n, outputs) of inputs (n, inputs) where overflow is proven impossible."""
    count, inputs = x.shape
    outputs = weight.shape[0]
    result = np.empty((count, outputs), np.int64)
    for i in range(count):
        for m in range(outputs):
            total = bias[m]
            for k in range(inputs):
                total += weight[m, k] * x[i, k]
            result[i, m] = total
    return result


@jit
def accumulate_beats(
    x: IntArray, weight: IntArray, bias: IntArray, simd: int, bits: int, saturate: bool
) -> tuple[IntArray, int]:
    """Accumulators of ``bits`` signed bits, wrapped or saturated after each beat of ``simd``.

    Returns the accumulators (n, outputs) and the number of beats that overflowed.
    """
    count, inputs = x.shape
    outputs = weight.shape[0]
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    result = np.empty((count, outputs), np.int64)
    overflows = 0
    for i in range(count):
        for m in range(outputs):
            total = bias[m]
            for start in range(0, inputs, simd):
                for k in range(start, min(start + simd, inputs)):
                    total += weight[m, k] * x[i, k]
                if total < low or total > high:
                    overflows += 1
                    if not saturate:
                        total = wrap(total, bits, True)
                    elif total < low:
                        total = low
                    else:
                        total = high
            result[i, m] = total
    return result, overflows


@jit
def requantize(
    accumulators: IntArray,
    multiplier: IntArray,
    shift: int,
    rounding: int,
    relu: bool,
    zero_point: int,
    bits: int,
    signed: bool,
    low: int,
    high: int,
    saturate: bool,
) -> tuple[IntArray, int]:
    """Accumulators (n, outputs) to activations by ``multiplier`` of shape (1,) or (outputs,).

    Returns the activations and the number of values that left the range ``low`` .. ``high``.
    """
    count, outputs = accumulators.shape
    step = 0 if multiplier.size == 1 else 1
    result = np.empty((count, outputs), np.int64)
    clipped = 0
    for i in range(count):
        for m in range(outputs):
            value = shift_round(accumulators[i, m] * multiplier[m * step], shift, rounding)
            if relu and value < 0:
                value = 0
            value += zero_point
            if value < low or value > high:
                clipped += 1
                if not saturate:
                    value = wrap(value, bits, signed)
                elif value < low:
                    value = low
                else:
                    value = high
            result[i, m] = value
    return result, clipped
