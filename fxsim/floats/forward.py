"""The float network that a fixed-point one descends from, in float64 and without PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import assert_never

import numpy as np
import numpy.typing as npt

from fxsim.arithmetic.tensors import as_vectors
from fxsim.arithmetic.windows import Windows
from fxsim.errors import RangeError
from fxsim.floats.checkpoint import LinearParameters
from fxsim.network import FloatArray
from fxsim.spec.common import Shape
from fxsim.spec.specification import (
    INPUT,
    AddSpec,
    ArgmaxSpec,
    AveragePoolSpec,
    ConvolutionSpec,
    FlattenSpec,
    LayerSpec,
    LinearSpec,
    LstmSpec,
    MaxPoolSpec,
    NetworkSpec,
)

_IMAGES = 32
"""Images that pass the layers together."""


def forward(
    spec: NetworkSpec, parameters: Mapping[str, LinearParameters], x: npt.ArrayLike
) -> FloatArray:
    """Outputs of the last layer; of the one before, the logits, where that is an argmax.

    Nothing is quantized here; give `fxsim.quantizer.quantizer.quantized_parameters` for quantized
    weights.

    Parameters
    ----------
    spec : NetworkSpec
    parameters : mapping of str to LinearParameters
        By product name: ``checkpoint.parent`` or ``checkpoint.retrained``.
    x : float array, shape (n, *spec.input.shape)
        With LSTM layers (n, t, *spec.input.shape): n sequences, each from the state 0.

    Returns
    -------
    float64 array, shape (n, outputs), or (n, t, outputs) with LSTM layers

    Raises
    ------
    RangeError
        If ``x`` has another shape.
    """
    vector: FloatArray = np.asarray(x)
    leading = ("n", "t") if spec.recurrent else ("n",)
    if vector.ndim < len(leading) or vector.shape[len(leading) :] != spec.input.shape:
        expected = ", ".join((*leading, *map(str, spec.input.shape)))
        raise RangeError(f"x must have shape ({expected}), not {vector.shape}")
    if spec.spatial:  # a few at a time: the tensors between the layers are large
        blocks = [vector[k : k + _IMAGES] for k in range(0, len(vector) or 1, _IMAGES)]
        return np.concatenate([_forward(spec, parameters, block) for block in blocks])
    return _forward(spec, parameters, vector)


def layer_outputs(
    spec: NetworkSpec, parameters: Mapping[str, LinearParameters], x: npt.ArrayLike
) -> dict[str, FloatArray]:
    """Outputs of every layer by name; images as vectors in the order of `fxsim.network.Windows`."""
    outputs = _layers(spec, parameters, np.asarray(x))
    del outputs[INPUT]
    return outputs


def _forward(
    spec: NetworkSpec, parameters: Mapping[str, LinearParameters], x: FloatArray
) -> FloatArray:
    return list(_layers(spec, parameters, x).values())[-1]


def _layers(
    spec: NetworkSpec, parameters: Mapping[str, LinearParameters], x: FloatArray
) -> dict[str, FloatArray]:
    """Outputs of every layer, behind the input."""
    vector = as_vectors(x.astype(np.float64), spec.input.shape)
    yielded = {INPUT: vector}
    for i, layer in enumerate(spec.layers):
        found = [parameters[product.name] for product in spec.layer_products(i)]
        others = [yielded[name] for name in layer.shortcuts]
        vector = _layer(layer, spec.layer_shape(i), found, vector, others)
        if layer.relu:
            vector = np.maximum(vector, 0.0)
        yielded[spec.layer_name(i)] = vector
    return yielded


def _layer(
    layer: LayerSpec,
    shape: Shape,
    found: Sequence[LinearParameters],
    x: FloatArray,
    others: Sequence[FloatArray],
) -> FloatArray:
    """Outputs of one layer before the nonlinearity, if it has one.

    ``shape`` is that of a sample of ``x``, ``found`` what its products hold, and ``others`` come
    over its shortcuts. An argmax yields what it takes.
    """
    match layer:
        case LstmSpec():
            return lstm(found[0], found[1], x, *found[2:])
        case LinearSpec():
            return x @ found[0].effective_weight.T + found[0].bias
        case ConvolutionSpec():
            windows = layer.windows(shape)
            sums = convolution(windows, found[0].effective_weight, x)
            sums += np.tile(found[0].bias, windows.places)
            return sums
        case MaxPoolSpec():
            windows = layer.windows(shape)
            seen = windows.gather(x, -np.inf)
            taps = windows.size // windows.channels
            seen = seen.reshape(len(x), windows.places, taps, windows.channels)
            greatest: FloatArray = seen.max(axis=2)
            return greatest.reshape(len(x), windows.places * windows.channels)
        case AveragePoolSpec():
            windows = layer.windows(shape)
            ones = np.ones((windows.channels, windows.size))
            return convolution(windows, ones / windows.size, x)
        case AddSpec():
            return x + others[0]
        case FlattenSpec() | ArgmaxSpec():  # images are vectors already
            return x
        case _:
            assert_never(layer)


def convolution(windows: Windows, weight: FloatArray, x: FloatArray) -> FloatArray:
    """Sums (n, places * outputs) of images (n, items), each group's outputs for its windows."""
    each = len(weight) // windows.groups
    sums = [
        windows.gather(x, 0.0, group) @ weight[group * each : (group + 1) * each].T
        for group in range(windows.groups)
    ]
    return np.concatenate(sums, axis=2).reshape(len(x), windows.places * len(weight))


def lstm(
    input_product: LinearParameters,
    hidden_product: LinearParameters,
    x: FloatArray,
    projection: LinearParameters | None = None,
) -> FloatArray:
    """Outputs (n, t, outputs) of an LSTM layer for n sequences (n, t, inputs) from the state 0.

    The equations are those of `fxsim.network.QuantizedLstm` without the rounding.
    """
    outputs = lstm_cells(input_product, hidden_product, x, projection)
    return outputs if projection is None else _project(outputs, projection)


def lstm_cells(
    input_product: LinearParameters,
    hidden_product: LinearParameters,
    x: FloatArray,
    projection: LinearParameters | None = None,
) -> FloatArray:
    """Like `lstm`, what enters the projection: o * tanh(c), shape (n, t, cells)."""
    cells = len(hidden_product.weight) // 4
    from_input = x @ input_product.weight.T + input_product.bias + hidden_product.bias
    hidden = np.zeros((len(x), hidden_product.weight.shape[1]))
    cell = np.zeros((len(x), cells))
    outputs = np.empty((*x.shape[:2], cells))
    for t in range(x.shape[1]):
        gates = from_input[:, t] + hidden @ hidden_product.weight.T
        i, f, o = np.split(0.5 + 0.5 * np.tanh(0.5 * gates[:, : 3 * cells]), 3, axis=1)  # sigmoid
        cell = f * cell + i * np.tanh(gates[:, 3 * cells :])
        hidden = outputs[:, t] = o * np.tanh(cell)
        if projection is not None:
            hidden = _project(outputs[:, t], projection)
    return outputs


def _project(outputs: FloatArray, projection: LinearParameters) -> FloatArray:
    projected: FloatArray = outputs @ projection.weight.T + projection.bias
    return projected
