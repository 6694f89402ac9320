"""Resizes: each pixel several times."""

from __future__ import annotations

from fxsim.network import Activation, IntArray, Resize
from fxsim.spec.specification import NetworkSpec, ResizeSpec


def quantize_resize(
    spec: NetworkSpec, index: int, layer: ResizeSpec, source: Activation, x: IntArray
) -> tuple[Resize, IntArray]:
    """Take one resize to integers; returns it with the calibration samples that leave it."""
    shape, (vertical, horizontal) = spec.layer_shape(index), layer.factors
    channels, height, width = shape
    pixels = x.reshape(-1, height, width, channels)
    larger = pixels.repeat(vertical, axis=1).repeat(horizontal, axis=2)
    quantized = Resize(
        name=spec.layer_name(index),
        shape=shape,
        factors=layer.factors,
        input=source,
        lanes=layer.hardware.lanes,
    )
    return quantized, larger.reshape(len(x), -1)
