"""The float network that a fixed-point one descends from, in float64 and without PyTorch."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias, assert_never

import numpy as np
import numpy.typing as npt

from fxsim.arithmetic.tensors import as_vectors
from fxsim.arithmetic.windows import Windows
from fxsim.floats.checkpoint import LinearParameters
from fxsim.floats.ports import checked_samples
from fxsim.network import FloatArray
from fxsim.spec.common import Shape
from fxsim.spec.specification import (
    AddSpec,
    ArgmaxSpec,
    AveragePoolSpec,
    ConcatSpec,
    ConvolutionSpec,
    FlattenSpec,
    LayerSpec,
    LinearSpec,
    LstmSpec,
    MaxPoolSpec,
    NetworkSpec,
    RescaleSpec,
    ResizeSpec,
)

_IMAGES = 32
"""Images that pass the layers together."""


Samples: TypeAlias = npt.ArrayLike | Mapping[str, npt.ArrayLike]
"""Samples of the only input, or of each by name."""


def forward(
    spec: NetworkSpec, parameters: Mapping[str, LinearParameters], x: Samples
) -> FloatArray:
    """Values of the only output; of an argmax the logits that it takes.

    Nothing is quantized here; give `fxsim.quantizer.quantizer.quantized_parameters` for quantized
    weights.

    Parameters
    ----------
    spec : NetworkSpec
    parameters : mapping of str to LinearParameters
        By product name: ``checkpoint.parent`` or ``checkpoint.retrained``.
    x : float array, shape (n, *input shape), or a mapping of them by name
        With LSTM layers (n, t, *input shape): n sequences, each from the state 0.

    Returns
    -------
    float64 array, shape (n, outputs), or (n, t, outputs) with LSTM layers

    Raises
    ------
    SpecError
        If the network has several outputs; see `forward_outputs`.
    RangeError
        If ``x`` has another shape.
    """
    return forward_outputs(spec, parameters, x)[spec.output]


def forward_outputs(
    spec: NetworkSpec, parameters: Mapping[str, LinearParameters], x: Samples
) -> dict[str, FloatArray]:
    """Values of every output by name, as `forward` has them."""
    samples = checked_samples(spec, x, "x")
    first = next(iter(samples.values()))
    size = _together(spec, first.shape)
    found: dict[str, list[FloatArray]] = {name: [] for name in spec.outputs}
    for start in range(0, len(first) or 1, size):
        piece = {name: array[start : start + size] for name, array in samples.items()}
        for name, values in _run(spec, parameters, piece):
            if name in found:
                found[name].append(values)
    return {name: np.concatenate(values) for name, values in found.items()}


def layer_outputs(
    spec: NetworkSpec, parameters: Mapping[str, LinearParameters], x: Samples
) -> dict[str, FloatArray]:
    """Outputs of every layer by name; images as vectors in the order of `fxsim.network.Windows`."""
    return dict(_run(spec, parameters, checked_samples(spec, x, "x")))


def _together(spec: NetworkSpec, shape: Sequence[int]) -> int:
    """Samples that pass the layers at a time: few images, as the tensors between are large."""
    steps = shape[1] if spec.recurrent else 1
    return max(1, _IMAGES // max(1, steps)) if spec.spatial else max(1, shape[0])


def _run(
    spec: NetworkSpec,
    parameters: Mapping[str, LinearParameters],
    samples: Mapping[str, npt.NDArray[Any]],
) -> Iterator[tuple[str, FloatArray]]:
    """Name and outputs of each layer in the order of the file; kept as long as a layer takes them.

    Vectors (n, items), or (n, t, items) with LSTM layers: others see n * t vectors.
    """
    graph, shapes, products = spec.graph, spec.shapes, spec.products
    yielded = {
        name: as_vectors(array.astype(np.float64), shapes[name]) for name, array in samples.items()
    }
    for i, (name, released) in enumerate(zip(graph.layers, graph.released(), strict=True)):
        layer, sources = spec.layers[i], graph.sources[i]
        taken = [yielded[source] for source in sources]
        leading = taken[0].shape[:-1]
        if not layer.recurrent:
            taken = [x.reshape(-1, x.shape[-1]) for x in taken]
        found = [parameters[product.name] for product in products if product.layer == i]
        values = _layer(layer, shapes[sources[0]], found, taken)
        if layer.relu:
            values = np.clip(values, *layer.limits)
        yielded[name] = values = values.reshape(*leading, values.shape[-1])
        for gone in released:
            del yielded[gone]
        yield name, values


def _layer(
    layer: LayerSpec,
    shape: Shape,
    found: Sequence[LinearParameters],
    operands: Sequence[FloatArray],
) -> FloatArray:
    """Outputs of one layer before the nonlinearity, if it has one.

    ``shape`` is that of a sample of the first operand, and ``found`` what its products hold. An
    argmax yields what it takes.
    """
    x = operands[0]
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
        case ResizeSpec():
            return _resize(layer.factors, shape, x)
        case ConcatSpec():
            return _concat(shape, operands)
        case AddSpec():
            return functools.reduce(np.add, operands)
        case RescaleSpec() | FlattenSpec() | ArgmaxSpec():  # images are vectors already
            return x
        case _:
            assert_never(layer)


def _resize(factors: tuple[int, int], shape: Shape, x: FloatArray) -> FloatArray:
    """Images as vectors, each pixel several times."""
    (channels, height, width), (vertical, horizontal) = shape, factors
    pixels = x.reshape(len(x), height, width, channels)
    larger = pixels.repeat(vertical, axis=1).repeat(horizontal, axis=2)
    return larger.reshape(len(x), vertical * horizontal * x.shape[1])


def _concat(shape: Shape, operands: Sequence[FloatArray]) -> FloatArray:
    """Operands pixel by pixel; ``shape`` is that of the first one, and a vector is one pixel."""
    count, pixels = len(operands[0]), math.prod(shape[1:])
    parts = [x.reshape(count, pixels, x.shape[1] // pixels) for x in operands]
    return np.concatenate(parts, axis=2).reshape(count, sum(x.shape[1] for x in operands))


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
    """Inputs of the projection of an LSTM layer: o * tanh(c), shape (n, t, cells)."""
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
