"""Max pooling on a batch."""

from __future__ import annotations

from fxsim.kernels import windows
from fxsim.network import IntArray, MaxPool
from fxsim.simulator.images import as_pixels
from fxsim.simulator.trace import LayerTrace, Tensor


def run(layer: MaxPool, x: Tensor) -> Tensor:
    """Max pooling of images (n, inputs)."""
    shape = layer.windows
    places = shape.rows, shape.columns
    least = layer.input.format.min
    pooled = windows.greatest(
        as_pixels(shape, x), shape.kernel, places, shape.stride, shape.padding, least
    )
    return pooled.reshape(len(x), layer.outputs)


def trace(layer: MaxPool, x: IntArray) -> LayerTrace:
    """Trace of `run`, whose outputs are all there is to see."""
    return LayerTrace(name=layer.name, tensors={"activations": run(layer, x)}, counts={})
