"""Fully connected layers: real weights, biases and scales -> integers.

What `fxsim.quantize_lstm` and `fxsim.quantize` share stands here too.
"""

from __future__ import annotations

import math

import numpy as np

from fxsim.errors import RangeError
from fxsim.formats import MAX_BITS, AccumulatorMode, IntFormat, Overflow, Rounding
from fxsim.lstm import GATES
from fxsim.network import (
    Accumulator,
    Activation,
    FloatArray,
    Folding,
    IntArray,
    QuantizedLinear,
    Requantizer,
    accumulator_bounds,
)
from fxsim.spec import ConvolutionSpec, LinearSpec, LstmSpec, NetworkSpec, RequantizeSpec
from fxsim.spec_layers import AccumulatorSpec, GateRequantizeSpec
from fxsim.step_size import l2_scale

_FRACTIONS = np.arange(64, 1, -1) / 64
"""Output scales that calibration tries, as fractions of the one that just avoids clipping. They
are exact, for the same scale on every machine; so is everything else here but sums of errors."""


_VALUES = 1 << 18
"""About as many values as a scale is calibrated on at most."""


def quantize_weight(weight: FloatArray, scale: FloatArray, levels: int) -> IntArray:
    """Integers of a weight matrix by eq. (3) of Sung et al. (2015), ties away from zero.

    Parameters
    ----------
    weight : float array, shape (outputs, inputs)
    scale : float array, shape (1,) or (outputs,)
    levels : int
    """
    top = levels // 2
    with np.errstate(over="ignore"):
        ratio = np.asarray(weight, dtype=np.float64) / scale[:, None]
    return round_real(np.clip(ratio, -top, top), Rounding.TIES_AWAY)


def weight_scale(weight: FloatArray, layer: LinearSpec | LstmSpec | ConvolutionSpec) -> FloatArray:
    """Scale of least squared error, per tensor (shape (1,)), or per channel or gate (shape
    (outputs,); equal for all rows of a gate, the weight being W or U).

    A layer that requantizes by a plain shift gets the better of the two powers of two around it;
    the specification refuses it more than one scale.
    """
    weight = np.asarray(weight, dtype=np.float64)
    plain_shift = layer.output is not None and layer.requantize.multiplier_bits == 0
    groups = groups_of(layer, len(weight))
    scale = l2_scale(weight.reshape(groups, -1), layer.weights.levels)
    if groups > 1:
        scale = np.repeat(scale, len(weight) // groups)
    return power_of_two(weight, scale, layer.weights.levels) if plain_shift else scale


def groups_of(layer: LinearSpec | LstmSpec | ConvolutionSpec, outputs: int) -> int:
    """Number of groups of weights with a scale of their own, in a product of ``outputs`` rows."""
    return {"tensor": 1, "gate": len(GATES), "channel": outputs}[layer.weights.per]


def round_real(value: FloatArray, rounding: Rounding) -> IntArray:
    """Round real values below 2**63 in magnitude, with exact ties, by the table of `Rounding`."""
    whole: FloatArray = np.trunc(value)
    rest: FloatArray = value - whole  # exact, so that a tie is a tie; value + 0.5 would not be
    match rounding:
        case Rounding.FLOOR:
            step = rest < 0
        case Rounding.TO_ZERO:
            step = np.zeros_like(rest, dtype=bool)
        case Rounding.TIES_AWAY:
            step = np.abs(rest) >= 0.5
        case Rounding.TIES_POS:
            step = (rest >= 0.5) | (rest < -0.5)
        case Rounding.TIES_EVEN:
            step = (np.abs(rest) > 0.5) | ((np.abs(rest) == 0.5) & (whole % 2 != 0))
    result: IntArray = (whole + np.copysign(step, rest)).astype(np.int64)
    return result


def integers(
    real: FloatArray,
    activation: Activation,
    rounding: Rounding,
    overflow: Overflow = Overflow.SATURATE,
) -> IntArray:
    """Round real values to an activation format."""
    fmt, zero = activation.format, activation.zero_point
    with np.errstate(over="ignore"):
        ratio = real / activation.scale
    if overflow is Overflow.SATURATE:
        ratio = np.clip(ratio, fmt.min - zero, fmt.max - zero)
    q = round_real(ratio, rounding) + zero
    return q if overflow is Overflow.SATURATE else (q - fmt.min) % (1 << fmt.bits) + fmt.min


def power_of_two(weight: FloatArray, scale: FloatArray, levels: int) -> FloatArray:
    """The better of the powers of two around a scale."""
    mantissa, exponent = np.frexp(scale)
    if mantissa[0] == 0.5:
        return scale
    candidates = [np.ldexp(1.0, exponent - 1), np.ldexp(1.0, exponent)]
    errors = [np.square(weight - s * quantize_weight(weight, s, levels)).sum() for s in candidates]
    best: FloatArray = candidates[int(np.argmin(errors))]
    return best


def quantize_linear(
    spec: NetworkSpec,
    index: int,
    weight: IntArray,
    scale: FloatArray,
    real_bias: FloatArray,
    source: Activation,
    x: IntArray,
) -> tuple[QuantizedLinear, IntArray]:
    """Quantize one layer; returns it with the calibration samples that leave it."""
    # Integers below 2**53 stay exact in float64, and float64 products are much faster.
    sums = x.astype(np.float64) @ weight.T.astype(np.float64)
    return quantize_product(spec, index, weight, scale, real_bias, source, sums)


def quantize_product(
    spec: NetworkSpec,
    index: int,
    weight: IntArray,
    scale: FloatArray,
    real_bias: FloatArray,
    source: Activation,
    sums: FloatArray,
) -> tuple[QuantizedLinear, IntArray]:
    """Quantize the product of a layer; ``sums``, shape (n, outputs), lack only the bias.

    Returns it with what leaves it for these sums, of the same shape.
    """
    layer, name, hardware = spec.layers[index], spec.layer_name(index), spec.layer_hardware(index)
    assert isinstance(layer, LinearSpec | ConvolutionSpec)
    unit = scale * source.scale  # real value of 1 in the accumulator
    bias, accumulator = accumulator_of(name, weight, real_bias / unit, source, layer.accumulator)
    real = unit * (sums + bias)
    relu = layer.nonlinearity == "relu"
    if relu:
        real = np.maximum(real, 0.0)
    if layer.output is None:
        requantizer, leaving = None, np.zeros(0, np.int64)
        output = Activation(format=accumulator.format, scale=float(unit[0]))
    else:
        rounding = spec.layer_rounding(index)
        output = _output(real, layer, rounding, unit)
        requantizer = requantizer_of(name, unit / output.scale, layer.requantize, rounding)
        leaving = integers(real, output, rounding, layer.requantize.overflow)
    quantized = QuantizedLinear(
        name=name,
        weight=weight,
        weight_format=IntFormat.for_levels(layer.weights.levels),
        weight_scale=scale,
        bias=bias,
        input=source,
        accumulator=accumulator,
        requantizer=requantizer,
        relu=relu,
        output=output,
        folding=Folding(**hardware.model_dump()),
    )
    return quantized, leaving


def accumulator_of(
    name: str, weight: IntArray, ratio: FloatArray, source: Activation, wanted: AccumulatorSpec
) -> tuple[IntArray, Accumulator]:
    """Integer bias, and the accumulator; ``ratio`` is the real bias in units of the accumulator."""
    if np.abs(ratio).max() >= 1 << MAX_BITS:
        raise RangeError(f"{name}: bias must fit {MAX_BITS} bits in units of the accumulator")
    bias = round_real(ratio, Rounding.TIES_AWAY) - source.zero_point * weight.sum(axis=1)
    mode, bits = wanted.overflow, wanted.bits
    if bits is not None:
        fmt = IntFormat(bits=bits, signed=True)
        return np.clip(bias, fmt.min, fmt.max), Accumulator(format=fmt, mode=mode)
    low, high = accumulator_bounds(weight, bias, source.format)
    if max(high, -low - 1).bit_length() >= MAX_BITS:
        raise RangeError(f"{name}: accumulator must fit {MAX_BITS} bits to hold {low} to {high}")
    fmt = IntFormat.spanning(low, high, signed=True)
    return bias, Accumulator(format=fmt, mode=AccumulatorMode.WIDE)


def _output(
    real: FloatArray, layer: LinearSpec | ConvolutionSpec, rounding: Rounding, unit: FloatArray
) -> Activation:
    """Output format with the scale of least squared error on the calibration samples."""
    assert layer.output is not None
    fmt = layer.output.format
    # An odd step meets every channel; images have more values than a scale needs.
    real = real[:: max(1, real.size // _VALUES) | 1]
    if layer.requantize.multiplier_bits == 0:
        scales = unit[0] * 2.0 ** np.arange(MAX_BITS + 1)
    else:
        peak = float(real.max() if not fmt.signed else np.abs(real).max())
        scales = (peak / max(fmt.max, 1) if peak > 0 else 1.0) * _FRACTIONS

    def error(activation: Activation) -> float:
        q = integers(real, activation, rounding, layer.requantize.overflow)
        return float(np.square(real - activation.scale * q).sum())

    return min((Activation(format=fmt, scale=float(scale)) for scale in scales), key=error)


def requantizer_of(
    name: str, ratio: FloatArray, wanted: RequantizeSpec | GateRequantizeSpec, rounding: Rounding
) -> Requantizer:
    """Multipliers and their common shift, as large as ``multiplier_bits`` allows."""
    bits = wanted.multiplier_bits
    overflow = wanted.overflow if isinstance(wanted, RequantizeSpec) else Overflow.SATURATE
    if bits == 0:
        shift, multiplier = 1 - math.frexp(ratio[0])[1], np.ones(1, dtype=np.int64)
    else:
        limit, top = (1 << bits) - 0.5, float(ratio.max())
        if top >= limit:
            raise RangeError(
                f"{name}: multiplier_bits must be at least {int(top + 0.5).bit_length()} for a"
                f" scale ratio of {top:g}, not {bits}"
            )
        shift = max(s for s in range(MAX_BITS + 1) if np.ldexp(top, s) < limit)
        multiplier = round_real(np.ldexp(ratio, shift), Rounding.TIES_AWAY)
    return Requantizer(
        multiplier=multiplier,
        multiplier_bits=bits,
        shift=shift,
        rounding=rounding,
        overflow=overflow,
    )
