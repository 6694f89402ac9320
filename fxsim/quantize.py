"""Float parameters and a specification -> `QuantizedNetwork`: the only place with float -> int.

Weights use the L2-optimal scale (`fxsim.step_size`), or the scale that they were retrained with.
Activation scales are calibrated layer by layer on samples that run through the layers already
quantized, so that each scale suits what its layer really gets.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from fxsim.checkpoint import Checkpoint, LinearParameters
from fxsim.errors import RangeError, SpecError
from fxsim.formats import MAX_BITS, AccumulatorMode, IntFormat, Overflow, Rounding
from fxsim.network import (
    Accumulator,
    Activation,
    FloatArray,
    Folding,
    InputQuantizer,
    IntArray,
    QuantizedLinear,
    QuantizedNetwork,
    Requantizer,
    accumulator_bounds,
)
from fxsim.spec import LinearSpec, NetworkSpec
from fxsim.step_size import l2_scale

_FRACTIONS = np.arange(64, 1, -1) / 64
"""Output scales that calibration tries, as fractions of the one that just avoids clipping. They
are exact, for the same scale on every machine; so is everything else here but sums of errors."""


def quantize(
    spec: NetworkSpec, checkpoint: Checkpoint, calibration: FloatArray, *, direct: bool = False
) -> QuantizedNetwork:
    """Quantize a network.

    Retrained parameters keep the scales of their last retraining step. They are used if
    `uses_retrained` and not ``direct``; direct quantization starts from the float parent.

    Parameters
    ----------
    spec : NetworkSpec
    checkpoint : Checkpoint
    calibration : float array, shape (n, *spec.input.shape)
        Typical samples, about 1000 of the training split. They set the scales of the input and of
        the outputs.
    direct : bool
        Leave retrained parameters aside.

    Raises
    ------
    SpecError
        If the checkpoint belongs to another network, or the specification asks for the impossible.
    RangeError
        If the calibration samples are malformed, or a width exceeds its limit.
    """
    checkpoint.check(spec)
    samples = _samples(calibration, spec.input.shape, "calibration")
    if not len(samples):
        raise RangeError("calibration must have at least one sample")
    source = _input_quantizer(spec, samples)
    x, activation = _integers(samples, source.activation, source.rounding), source.activation
    layers: list[QuantizedLinear] = []
    try:
        with np.errstate(over="raise", divide="raise", invalid="raise"):
            for i, linear in enumerate(_parameters(spec, checkpoint, direct=direct)):
                layer, x = _quantize_linear(spec, i, *linear, activation, x)
                layers.append(layer)
                activation = layer.output
    except FloatingPointError:
        name = spec.layer_name(len(layers))
        raise RangeError(f"{name}: parameters are too large or too small for float64") from None
    return QuantizedNetwork(name=spec.name, data=spec.data, input=source, layers=tuple(layers))


def quantize_input(quantizer: InputQuantizer, x: FloatArray) -> IntArray:
    """Turn real samples into the integers that a network takes: saturate(round(x / scale) + zero).

    Parameters
    ----------
    quantizer : InputQuantizer
    x : float array, shape (n, *quantizer.shape)

    Returns
    -------
    int64 array, shape (n, inputs)

    Raises
    ------
    RangeError
        If ``x`` has another shape or holds a NaN or an infinity.
    """
    samples = _samples(x, quantizer.shape, "x")
    return _integers(samples, quantizer.activation, quantizer.rounding)


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


def weight_scale(weight: FloatArray, layer: LinearSpec) -> FloatArray:
    """Scale of least squared error, per tensor (shape (1,)) or per channel (shape (outputs,)).

    A layer that requantizes by a plain shift gets the better of the two powers of two around it;
    the specification refuses it more than one scale.
    """
    weight = np.asarray(weight, dtype=np.float64)
    plain_shift = layer.output is not None and layer.requantize.multiplier_bits == 0
    groups = weight if layer.weights.per == "channel" else weight.reshape(1, -1)
    scale = l2_scale(groups, layer.weights.levels)
    return _power_of_two(weight, scale, layer.weights.levels) if plain_shift else scale


def quantized_parameters(
    spec: NetworkSpec, checkpoint: Checkpoint, *, direct: bool = False
) -> dict[str, LinearParameters]:
    """Real values of the quantized weights, and the float biases, for `fxsim.floating.forward`."""
    checkpoint.check(spec)
    return {
        spec.layer_name(i): LinearParameters(weight=scale[:, None] * weight, bias=bias)
        for i, (weight, scale, bias) in enumerate(_parameters(spec, checkpoint, direct=direct))
    }


def uses_retrained(spec: NetworkSpec, checkpoint: Checkpoint) -> bool:
    """Whether the checkpoint was retrained for the levels and scale groups of the specification."""
    return checkpoint.retrained is not None and all(
        (found := checkpoint.retrained[spec.layer_name(i)]).levels == layer.weights.levels
        and found.scale.size == (layer.units if layer.weights.per == "channel" else 1)
        for i, layer in enumerate(spec.layers)
    )


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


def _samples(x: npt.ArrayLike, shape: tuple[int, ...], what: str) -> FloatArray:
    """Check samples and flatten each to a row."""
    array = np.asarray(x)
    if array.dtype.kind not in "iufb":
        raise RangeError(f"{what} must hold numbers, not {array.dtype}")
    if array.ndim == 0 or array.shape[1:] != shape:
        expected = ", ".join(map(str, shape))
        raise RangeError(f"{what} must have shape (n, {expected}), not {array.shape}")
    if (bad := np.argwhere(~np.isfinite(array))).size:
        index = tuple(bad[0].tolist())
        raise RangeError(f"{what} must be finite, not {array[index]} at {list(index)}")
    return array.reshape(len(array), int(np.prod(shape))).astype(np.float64)


def _integers(
    real: FloatArray,
    activation: Activation,
    rounding: Rounding,
    overflow: Overflow = Overflow.SATURATE,
) -> IntArray:
    fmt, zero = activation.format, activation.zero_point
    with np.errstate(over="ignore"):
        ratio = real / activation.scale
    if overflow is Overflow.SATURATE:
        ratio = np.clip(ratio, fmt.min - zero, fmt.max - zero)
    q = round_real(ratio, rounding) + zero
    return q if overflow is Overflow.SATURATE else (q - fmt.min) % (1 << fmt.bits) + fmt.min


def _input_quantizer(spec: NetworkSpec, samples: FloatArray) -> InputQuantizer:
    fmt = spec.input.format
    scale = float(np.abs(samples).max()) / max(fmt.max, 1) or 1.0
    if not fmt.signed and samples.min() < -scale / 2:
        raise SpecError(f"input must be signed: calibration has values down to {samples.min():g}")
    return InputQuantizer(
        shape=spec.input.shape,
        activation=Activation(format=fmt, scale=scale),
        rounding=spec.rounding,
    )


def _parameters(
    spec: NetworkSpec, checkpoint: Checkpoint, *, direct: bool
) -> list[tuple[IntArray, FloatArray, FloatArray]]:
    """Integer weights, their scale and the float biases of each layer."""
    retrained = None if direct or not uses_retrained(spec, checkpoint) else checkpoint.retrained
    result = []
    for i, layer in enumerate(spec.layers):
        name, levels = spec.layer_name(i), layer.weights.levels
        try:
            if retrained is None:
                linear = checkpoint.parent[name]
                scale = weight_scale(linear.weight, layer)
            else:
                linear, scale = retrained[name], retrained[name].scale
                if layer.output is not None and layer.requantize.multiplier_bits == 0:
                    scale = _power_of_two(linear.weight, scale, levels)
        except SpecError as error:
            raise SpecError(f"{name}: {error}") from None
        weight = quantize_weight(linear.weight, scale, levels)
        if scale.size > 1 and (live := weight.any(axis=1)).any():
            # Any scale suits zeros; an outlying one would cost the multipliers of all others bits.
            scale = np.where(live, scale, scale[live].max())
        result.append((weight, scale, linear.bias))
    return result


def _power_of_two(weight: FloatArray, scale: FloatArray, levels: int) -> FloatArray:
    mantissa, exponent = np.frexp(scale)
    if mantissa[0] == 0.5:
        return scale
    candidates = [np.ldexp(1.0, exponent - 1), np.ldexp(1.0, exponent)]
    errors = [np.square(weight - s * quantize_weight(weight, s, levels)).sum() for s in candidates]
    best: FloatArray = candidates[int(np.argmin(errors))]
    return best


def _quantize_linear(
    spec: NetworkSpec,
    index: int,
    weight: IntArray,
    scale: FloatArray,
    real_bias: FloatArray,
    source: Activation,
    x: IntArray,
) -> tuple[QuantizedLinear, IntArray]:
    """Quantize one layer; returns it with the calibration samples that leave it."""
    layer, name, hardware = spec.layers[index], spec.layer_name(index), spec.layer_hardware(index)
    unit = scale * source.scale  # real value of 1 in the accumulator
    bias, accumulator = _accumulator(layer, name, weight, real_bias / unit, source)
    # Integers below 2**53 stay exact in float64, and float64 products are much faster.
    real = unit * (x.astype(np.float64) @ weight.T.astype(np.float64) + bias)
    relu = layer.nonlinearity == "relu"
    if relu:
        real = np.maximum(real, 0.0)
    if layer.output is None:
        requantizer = None
        output = Activation(format=accumulator.format, scale=float(unit[0]))
    else:
        rounding = spec.layer_rounding(index)
        output = _output(real, layer, rounding, unit)
        requantizer = _requantizer(layer, name, unit / output.scale, rounding)
        x = _integers(real, output, rounding, layer.requantize.overflow)
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
    return quantized, x


def _accumulator(
    layer: LinearSpec, name: str, weight: IntArray, ratio: FloatArray, source: Activation
) -> tuple[IntArray, Accumulator]:
    if np.abs(ratio).max() >= 1 << MAX_BITS:
        raise RangeError(f"{name}: bias must fit {MAX_BITS} bits in units of the accumulator")
    bias = round_real(ratio, Rounding.TIES_AWAY) - source.zero_point * weight.sum(axis=1)
    mode, bits = layer.accumulator.overflow, layer.accumulator.bits
    if bits is not None:
        fmt = IntFormat(bits=bits, signed=True)
        return np.clip(bias, fmt.min, fmt.max), Accumulator(format=fmt, mode=mode)
    low, high = accumulator_bounds(weight, bias, source.format)
    if max(high, -low - 1).bit_length() >= MAX_BITS:
        raise RangeError(f"{name}: accumulator must fit {MAX_BITS} bits to hold {low} to {high}")
    fmt = IntFormat.spanning(low, high, signed=True)
    return bias, Accumulator(format=fmt, mode=AccumulatorMode.WIDE)


def _output(
    real: FloatArray, layer: LinearSpec, rounding: Rounding, unit: FloatArray
) -> Activation:
    """Output format with the scale of least squared error on the calibration samples."""
    assert layer.output is not None
    fmt = layer.output.format
    if layer.requantize.multiplier_bits == 0:
        scales = unit[0] * 2.0 ** np.arange(MAX_BITS + 1)
    else:
        peak = float(real.max() if not fmt.signed else np.abs(real).max())
        scales = (peak / max(fmt.max, 1) if peak > 0 else 1.0) * _FRACTIONS

    def error(activation: Activation) -> float:
        q = _integers(real, activation, rounding, layer.requantize.overflow)
        return float(np.square(real - activation.scale * q).sum())

    return min((Activation(format=fmt, scale=float(scale)) for scale in scales), key=error)


def _requantizer(
    layer: LinearSpec, name: str, ratio: FloatArray, rounding: Rounding
) -> Requantizer:
    """Multipliers and their common shift, as large as ``multiplier_bits`` allows."""
    bits, overflow = layer.requantize.multiplier_bits, layer.requantize.overflow
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
