"""A network like MobileNetV2 (Sandler et al. 2018), with weights of 0: its hardware matters."""

from __future__ import annotations

import numpy as np

from fxsim.arithmetic.formats import AccumulatorMode, IntFormat, Overflow, Rounding
from fxsim.network import (
    INPUT,
    Accumulator,
    Activation,
    Folding,
    InputQuantizer,
    Layer,
    QuantizedAdd,
    QuantizedConvolution,
    QuantizedLinear,
    QuantizedNetwork,
    Tail,
    Windows,
    add_bounds,
)

INT8 = Activation(format=IntFormat(bits=8, signed=True), scale=1.0)
TERNARY = IntFormat(bits=2, signed=True, narrow=True)
TABLE = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2)]
"""Expansion, channels, blocks and stride of the first one, as in table 2 of the paper."""

TAIL = Tail(
    multiplier=np.array([1]),
    multiplier_bits=0,
    shift=3,
    rounding=Rounding.FLOOR,
    overflow=Overflow.SATURATE,
)


def mobilenet(side: int = 160, table=TABLE, classes: int = 1000) -> QuantizedNetwork:
    """About 65 layers for images of 3 channels and ``side`` x ``side`` pixels."""
    layers: list[Layer] = []
    sources: dict[str, tuple[str, ...]] = {}
    shape = (3, side, side)

    def convolve(
        outputs: int, kernel: int, *, stride: int = 1, deep: bool = False, whole: bool = False
    ) -> None:
        nonlocal shape
        channels, height, width = shape
        layer = QuantizedConvolution(
            product=product(f"layer{len(layers)}", outputs, kernel**2 * (1 if deep else channels)),
            windows=Windows(
                channels=channels,
                height=height,
                width=width,
                kernel=(kernel, kernel),
                stride=stride,
                padding=0 if whole else kernel // 2,
                groups=channels if deep else 1,
            ),
        )
        layers.append(layer)
        shape = layer.shape_out

    convolve(32, 3, stride=2)
    for expansion, outputs, count, stride in table:
        for block in range(count):
            start, before = layers[-1].name, shape
            if expansion > 1:
                convolve(expansion * shape[0], 1)
            convolve(shape[0], 3, stride=1 if block else stride, deep=True)
            convolve(outputs, 1)
            if shape == before:
                name = f"layer{len(layers)}"
                sources[name] = layers[-1].name, start
                layers.append(add(name, shape))
    convolve(8 * shape[0], 1)
    convolve(shape[0], shape[1], deep=True, whole=True)
    layers.append(product(f"layer{len(layers)}", classes, shape[0]))
    image = InputQuantizer(shape=(3, side, side), activation=INT8, rounding=Rounding.FLOOR)
    return QuantizedNetwork(
        name="mobilenet",
        data="none",
        inputs={INPUT: image},
        layers=tuple(layers),
        sources=sources,
    )


def product(name: str, outputs: int, inputs: int) -> QuantizedLinear:
    """Ternary weights of 0."""
    return QuantizedLinear(
        name=name,
        weight=np.zeros((outputs, inputs), np.int64),
        weight_format=TERNARY,
        weight_scale=np.ones(1),
        bias=np.zeros(outputs, np.int64),
        input=INT8,
        accumulator=Accumulator(format=IntFormat(bits=20, signed=True), mode=AccumulatorMode.WIDE),
        tail=TAIL,
        output=INT8,
        folding=Folding(rows=1, simd=1),
    )


def add(name: str, shape: tuple[int, ...]) -> QuantizedAdd:
    """The sum of two images."""
    bits = IntFormat.spanning(*add_bounds((1, 1), (INT8, INT8)), signed=True).bits
    return QuantizedAdd(
        name=name,
        shape=shape,
        summands=(INT8, INT8),
        tail=Tail(
            multiplier=np.array([1, 1]),
            multiplier_bits=0,
            shift=1,
            rounding=Rounding.FLOOR,
            overflow=Overflow.SATURATE,
        ),
        accumulator=IntFormat(bits=bits, signed=True),
        output=INT8,
    )
