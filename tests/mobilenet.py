"""A network like MobileNetV2 (Sandler et al. 2018), with random weights: its size matters."""

from __future__ import annotations

from typing import Any

from fxsim.floats.checkpoint import Checkpoint
from fxsim.network import QuantizedNetwork
from fxsim.quantizer.quantizer import quantize
from tests.graph_specs import case

TABLE = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2)]
"""Expansion, channels, blocks and stride of the first one, as in table 2 of the paper."""


def specification(
    side: int = 160,
    table: list[tuple[int, int, int, int]] = TABLE,
    classes: int = 1000,
    levels: int = 255,
) -> dict[str, Any]:
    """62 layers for images of 3 channels and ``side`` x ``side`` pixels, 1 product a cycle each."""
    layers: list[dict[str, Any]] = []
    channels = 3

    def convolve(units: int, kernel: int, *, whole: bool = False, relu: bool = True, **keys: int):
        nonlocal channels
        layers.append(
            {
                "type": "convolution",
                "name": f"layer{len(layers)}",
                "units": units,
                "kernel": kernel,
                "padding": 0 if whole else kernel // 2,
                "weights": {"levels": levels, "per": "channel"},
                "nonlinearity": "relu" if relu else "none",
                "output": {"bits": 8},
                "hardware": {"rows": 1, "simd": 1},
                **keys,
            }
        )
        channels = units

    convolve(32, 3, stride=2)
    pixels = -(-side // 2)
    for expansion, outputs, count, first in table:
        for block in range(count):
            start, stride, inputs = layers[-1]["name"], 1 if block else first, channels
            if expansion > 1:
                convolve(expansion * channels, 1)
            convolve(channels, 3, stride=stride, groups=channels)
            convolve(outputs, 1, relu=False)
            pixels = -(-pixels // stride)
            if stride == 1 and inputs == outputs:
                sources = [layers[-1]["name"], start]
                name = f"layer{len(layers)}"
                layers.append(
                    {"type": "add", "name": name, "sources": sources, "output": {"bits": 8}}
                )
    convolve(8 * channels, 1)
    convolve(channels, pixels, groups=channels, whole=True)
    layers.append({"type": "flatten"})
    one = {"rows": 1, "simd": 1}
    layers.append(
        {"type": "linear", "units": classes, "weights": {"levels": levels}, "hardware": one}
    )
    image = {"shape": [3, side, side], "bits": 8, "signed": True}
    return {"name": "mobilenet", "data": "none", "input": image, "layers": layers}


def mobilenet(value: dict[str, Any], images: int) -> QuantizedNetwork:
    """The network of a specification, calibrated on random images; its queues have no depths."""
    spec, parameters, samples = case(value, count=images)
    return quantize(spec, Checkpoint(parent=parameters), samples, depths=False)
