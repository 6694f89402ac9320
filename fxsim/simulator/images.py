"""Layers that work on windows of images, on a batch: their windows take much room."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from fxsim.kernels import windows
from fxsim.kernels.linear import kernel_of
from fxsim.network import IntArray, MaxPool, QuantizedConvolution, QuantizedLinear
from fxsim.simulator.linear import counts_of, run_linear
from fxsim.simulator.trace import LayerTrace

T = TypeVar("T", bound=np.generic)

BLOCK = 1 << 18
"""Integers of windows that are held at a time, so that they stay near the processor."""


def run_convolution(layer: QuantizedConvolution, x: IntArray) -> LayerTrace:
    """Run one convolution on images (n, inputs), some at a time: their windows take much room."""
    parts = []
    for count, groups in _windows(layer, x):
        traces = [run_linear(product, seen) for product, seen in groups]
        parts.append(_joined(traces, axis=1, shape=(count, layer.outputs)))
    return _joined(parts, axis=0, shape=(len(x), layer.outputs))


def convolve(layer: QuantizedConvolution, x: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Like `run_convolution`, with the activations only."""
    parts = []
    for count, groups in _windows(layer, x):
        found = [kernel_of(product).activations(seen) for product, seen in groups]
        whole = found[0] if len(found) == 1 else np.concatenate(found, axis=1)
        parts.append(whole.reshape(count, layer.outputs))
    return np.concatenate(parts)


def _windows(
    layer: QuantizedConvolution, x: npt.NDArray[Any]
) -> Iterator[tuple[int, Iterator[tuple[QuantizedLinear, npt.NDArray[Any]]]]]:
    """Some images at a time: their number, and each group's product with its windows."""
    shape = layer.windows
    block = max(1, BLOCK // (shape.places * shape.size))
    places, depth = (shape.rows, shape.columns), shape.group_channels
    for start in range(0, max(len(x), 1), block):
        images = _images(layer, x[start : start + block])
        yield (
            len(images),
            (
                (
                    product,
                    windows.gather(
                        images,
                        group * depth,
                        depth,
                        shape.kernel,
                        places,
                        shape.stride,
                        shape.padding,
                        layer.input.zero_point,
                    ),
                )
                for group, product in enumerate(layer.group_products)
            ),
        )


def pool(layer: MaxPool, x: npt.NDArray[T]) -> npt.NDArray[T]:
    """Max pooling of images (n, inputs)."""
    shape = layer.windows
    places = shape.rows, shape.columns
    least = layer.input.format.min
    pooled = windows.greatest(
        _images(layer, x), shape.kernel, places, shape.stride, shape.padding, least
    )
    return pooled.reshape(len(x), layer.outputs)


def _images(layer: QuantizedConvolution | MaxPool, x: npt.NDArray[T]) -> npt.NDArray[T]:
    shape = layer.windows
    return np.ascontiguousarray(x).reshape(-1, shape.height, shape.width, shape.channels)


def _joined(traces: list[LayerTrace], *, axis: int, shape: tuple[int, int]) -> LayerTrace:
    """One trace with tensors of ``shape``, from parts that follow one another along ``axis``."""

    def tensor(field: str) -> IntArray:
        parts = [getattr(trace, field) for trace in traces]
        return np.concatenate(parts, axis=axis).reshape(shape)

    return LayerTrace(
        name=traces[0].name,
        accumulators=tensor("accumulators"),
        activations=tensor("activations"),
        **counts_of(traces),
    )
