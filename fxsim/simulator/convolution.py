"""Convolutions on a batch, some images at a time: their windows take much room."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from fxsim.kernels import windows
from fxsim.kernels.linear import kernel_of
from fxsim.network import IntArray, QuantizedConvolution, QuantizedLinear
from fxsim.simulator import linear
from fxsim.simulator.images import BLOCK, as_pixels
from fxsim.simulator.trace import LayerTrace, Tensor, combined


def run(layer: QuantizedConvolution, x: Tensor) -> Tensor:
    """Apply a convolution to images (n, inputs)."""
    parts = []
    for count, groups in _windows(layer, x):
        found = [kernel_of(product).activations(seen) for product, seen in groups]
        whole = found[0] if len(found) == 1 else np.concatenate(found, axis=1)
        parts.append(whole.reshape(count, layer.outputs))
    return np.concatenate(parts)


def trace(layer: QuantizedConvolution, x: IntArray) -> LayerTrace:
    """Trace of `run`, with that of the product over all windows."""
    parts = []
    for count, groups in _windows(layer, x):
        shape = (count, layer.outputs)

        def side_by_side(tensors: Sequence[Tensor], shape: tuple[int, int] = shape) -> Tensor:
            return np.concatenate(tensors, axis=1).reshape(shape)

        traces = [linear.trace(product, seen) for product, seen in groups]
        parts.append(combined(traces, side_by_side))
    return combined(parts, np.concatenate)


def _windows(
    layer: QuantizedConvolution, x: Tensor
) -> Iterator[tuple[int, Iterator[tuple[QuantizedLinear, Tensor]]]]:
    """Some images at a time: their number, and each group's product with its windows."""
    shape = layer.windows
    block = max(1, BLOCK // (shape.places * shape.size))
    places, depth = (shape.rows, shape.columns), shape.group_channels
    for start in range(0, max(len(x), 1), block):
        images = as_pixels(layer.windows, x[start : start + block])
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
