"""Requantized activations of a batch."""

from __future__ import annotations

from fxsim.kernels.epilogue import epilogue, narrowest, requantize
from fxsim.network import IntArray, Rescale
from fxsim.simulator.trace import LayerTrace, Tensor


def run(layer: Rescale, x: Tensor) -> Tensor:
    """Requantize x (n, items); the result has the narrowest type that holds it."""
    return _requantized(layer, x)[0].astype(narrowest(layer.output.format))


def trace(layer: Rescale, x: IntArray) -> LayerTrace:
    """Trace of `run`, with clipped values."""
    activations, clipped = _requantized(layer, x)
    return LayerTrace(
        name=layer.name, tensors={"activations": activations}, counts={"clipped": clipped}
    )


def _requantized(layer: Rescale, x: Tensor) -> tuple[IntArray, int]:
    """Activations, and how many of these left their format."""
    channels = layer.shape[0]
    constants = epilogue(layer.folded, channels, layer.output, layer.input.zero_point)
    activations, clipped = requantize(x.reshape(-1, channels), constants)
    return activations.reshape(x.shape), clipped
