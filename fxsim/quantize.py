"""Float parameters and a specification -> `QuantizedNetwork`.

With `fxsim.quantize_linear`, `fxsim.quantize_lstm` and `fxsim.tables` the only float -> int place.

Weights use the L2-optimal scale (`fxsim.step_size`), or the scale that they were retrained with.
Activation scales are calibrated layer by layer on samples that run through the layers already
quantized, so that each scale suits what its layer really gets.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fxsim.checkpoint import Checkpoint, LinearParameters
from fxsim.errors import RangeError, SpecError
from fxsim.network import (
    Activation,
    FloatArray,
    InputQuantizer,
    IntArray,
    Layer,
    QuantizedNetwork,
)
from fxsim.quantize_convolution import quantize_convolution, quantize_pool
from fxsim.quantize_linear import (
    groups_of,
    integers,
    power_of_two,
    quantize_linear,
    quantize_weight,
    round_real,
    weight_scale,
)
from fxsim.quantize_lstm import quantize_lstm
from fxsim.spec import (
    ConvolutionSpec,
    FlattenSpec,
    LinearSpec,
    LstmSpec,
    NetworkSpec,
)
from fxsim.tensors import as_vectors

_IMAGES = 200
"""Images that calibrate a network at most; each has thousands of values."""

__all__ = [
    "quantize",
    "quantize_input",
    "quantize_weight",
    "quantized_parameters",
    "round_real",
    "uses_retrained",
    "weight_scale",
]


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
    calibration : float array, shape (n, *spec.input.shape), or (n, t, ...) with LSTM layers
        Typical samples, about 1000 of the training split. They set the scales of the input and of
        the outputs; those of LSTM layers are fixed.
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
    leading = ("n", "t") if spec.recurrent else ("n",)
    samples = _samples(calibration, spec.input.shape, "calibration", leading)
    if not samples.size:
        raise RangeError("calibration must have at least one sample")
    if spec.spatial:
        samples = samples[:: -(-len(samples) // _IMAGES)]
    source = _input_quantizer(spec, samples)
    x, activation = integers(samples, source.activation, source.rounding), source.activation
    parameters = _parameters(spec, checkpoint, direct=direct)
    layers: list[Layer] = []
    layer: Layer
    try:
        with np.errstate(over="raise", divide="raise", invalid="raise"):
            for i, wanted in enumerate(spec.layers):
                products = [parameters[product.name] for product in spec.layer_products(i)]
                if isinstance(wanted, FlattenSpec):
                    continue  # images are stored as vectors already
                if isinstance(wanted, LstmSpec):
                    w, u = products
                    layer, x = quantize_lstm(spec, i, w, u, activation, x)
                elif isinstance(wanted, LinearSpec):
                    layer, x = quantize_linear(spec, i, *products[0], activation, x)
                elif isinstance(wanted, ConvolutionSpec):
                    layer, x = quantize_convolution(spec, i, *products[0], activation, x)
                else:
                    layer, x = quantize_pool(spec, i, activation, x)
                layers.append(layer)
                activation = layer.output
    except FloatingPointError:
        raise RangeError(
            f"{spec.layer_name(i)}: parameters are too large or too small for float64"
        ) from None
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
    samples = _samples(x, quantizer.shape, "x", ("n",))
    return integers(samples, quantizer.activation, quantizer.rounding)


def quantized_parameters(
    spec: NetworkSpec, checkpoint: Checkpoint, *, direct: bool = False
) -> dict[str, LinearParameters]:
    """Real values of the quantized weights, and the float biases, for `fxsim.floating.forward`."""
    checkpoint.check(spec)
    return {
        name: LinearParameters(weight=scale[:, None] * weight, bias=bias)
        for name, (weight, scale, bias) in _parameters(spec, checkpoint, direct=direct).items()
    }


def uses_retrained(spec: NetworkSpec, checkpoint: Checkpoint) -> bool:
    """Whether the checkpoint was retrained for the levels and scale groups of the specification."""
    return checkpoint.retrained is not None and all(
        (found := checkpoint.retrained[product.name]).levels == spec.levels(product)
        and found.scale.size == product.scales
        for product in spec.products
    )


def _samples(
    x: npt.ArrayLike, shape: tuple[int, ...], what: str, leading: tuple[str, ...]
) -> FloatArray:
    """Check samples and make each a vector; ``leading`` names the axes before its own."""
    array = np.asarray(x)
    if array.dtype.kind not in "iufb":
        raise RangeError(f"{what} must hold numbers, not {array.dtype}")
    axes = len(leading)
    if array.ndim < axes or array.shape[axes:] != shape:
        expected = ", ".join((*leading, *map(str, shape)))
        raise RangeError(f"{what} must have shape ({expected}), not {array.shape}")
    if (bad := np.argwhere(~np.isfinite(array))).size:
        index = tuple(bad[0].tolist())
        raise RangeError(f"{what} must be finite, not {array[index]} at {list(index)}")
    return as_vectors(array, shape).astype(np.float64)


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
) -> dict[str, tuple[IntArray, FloatArray, FloatArray]]:
    """Integer weights, their scale and the float biases of each product."""
    retrained = None if direct or not uses_retrained(spec, checkpoint) else checkpoint.retrained
    result = {}
    for product in spec.products:
        name, layer = product.name, spec.layers[product.layer]
        assert isinstance(layer, LinearSpec | LstmSpec | ConvolutionSpec)
        levels = layer.weights.levels
        try:
            if retrained is None:
                linear = checkpoint.parent[name]
                scale = weight_scale(linear.weight, layer)
            else:
                linear, scale = retrained[name], retrained[name].scale
                if layer.output is not None and layer.requantize.multiplier_bits == 0:
                    scale = power_of_two(linear.weight, scale, levels)
        except SpecError as error:
            raise SpecError(f"{name}: {error}") from None
        weight = quantize_weight(linear.weight, scale, levels)
        groups = groups_of(layer, len(weight))
        if linear.gain is not None:  # a sign goes to the weights, which are symmetric
            weight = weight * np.sign(linear.gain).astype(np.int64)[:, None]
            scale, groups = scale * np.abs(linear.gain), len(weight)
        live = np.repeat(weight.reshape(groups, -1).any(axis=1), len(weight) // groups)
        if scale.size > 1 and live.any():
            # Any scale suits zeros; an outlying one would cost the multipliers of all others bits.
            scale = np.where(live, scale, scale[live].max())
        result[name] = (weight, scale, linear.bias)
    return result
