"""Random layers that work on images, and networks of them."""

from __future__ import annotations

import math
from dataclasses import replace

from hypothesis import strategies as st

from fxsim.arithmetic.formats import Rounding
from fxsim.arithmetic.windows import Padding
from fxsim.network import (
    INPUT,
    Folding,
    InputQuantizer,
    MaxPool,
    QuantizedConvolution,
    QuantizedNetwork,
    Windows,
)
from tests.strategies import activations, linears


def divisor(size):
    """Numbers that divide ``size``."""
    return st.sampled_from([n for n in range(1, size + 1) if size % n == 0])


@st.composite
def geometry(draw, tall, wide):
    """Stride, down and across, and padding by side: the same everywhere more often than not."""
    if draw(st.booleans()):
        step, edge = draw(st.integers(1, 3)), draw(st.integers(0, (min(tall, wide) - 1) // 2))
        return (step, step), Padding(edge, edge, edge, edge)
    edges = [draw(st.integers(0, size - 1)) for size in (tall, wide, tall, wide)]
    return (draw(st.integers(1, 3)), draw(st.integers(1, 3))), Padding(*edges)


@st.composite
def windows(draw, shape, *, grouped=True, max_kernel=5):
    """Windows that fit an image of ``shape``; kernels are square more often than not."""
    channels, height, width = shape
    tall = draw(st.integers(1, min(height, max_kernel)))
    wide = draw(st.sampled_from([tall, draw(st.integers(1, max_kernel))]))
    wide = min(wide, width)
    stride, padding = draw(geometry(tall, wide))
    return Windows(
        channels=channels,
        height=height,
        width=width,
        kernel=(tall, wide),
        stride=stride,
        padding=padding,
        groups=draw(divisor(channels)) if grouped else 1,
    )


@st.composite
def convolutions(draw, *, source, shape, name="layer0", last=True, max_channels=6, max_kernel=5):
    """Random `QuantizedConvolution` objects; groups of one channel are not rare."""
    where = draw(windows(shape, max_kernel=max_kernel))
    return draw(
        convolution_of(where, source=source, name=name, last=last, max_channels=max_channels)
    )


@st.composite
def convolution_of(draw, where, *, source, name, last=False, max_channels=6, outputs=None):
    """Random convolutions of given windows; ``outputs`` channels unless that is left out."""
    product = draw(
        linears(source=source, inputs=where.size, max_size=max_channels, name=name, last=last)
    )
    # As many outputs for each group; foldings that windows know.
    each = max(1, (outputs or product.outputs) // where.groups)
    product = _outputs(product, each * where.groups)
    folding = Folding(
        rows=draw(divisor(each)),
        simd=draw(st.sampled_from(where.simd_choices())),
        dsp=product.folding.dsp,
    )
    return QuantizedConvolution(product=replace(product, folding=folding), windows=where)


def _outputs(product, count):
    """The product with ``count`` outputs: its own, over and over."""
    rows = [k % product.outputs for k in range(count)]
    scale = product.weight_scale
    return replace(
        product,
        weight=product.weight[rows],
        bias=product.bias[rows],
        weight_scale=scale[rows] if len(scale) > 1 else scale,
        tail=product.tail and product.tail.rows(rows),
        folding=Folding(rows=1, simd=1, dsp=product.folding.dsp),
    )


@st.composite
def max_pools(draw, *, source, shape, name="layer0", max_kernel=3):
    """Random `MaxPool` objects."""
    where = draw(windows(shape, grouped=False, max_kernel=max_kernel))
    return MaxPool(name=name, input=source, windows=where, lanes=draw(divisor(shape[0])))


@st.composite
def image_networks(draw, *, max_layers=3, max_side=9, max_channels=6):
    """Convolutions and pools in any order, and often a fully connected layer at the end."""
    source = activation = draw(activations())
    sides = st.integers(1, max_side)
    shape = first = (draw(st.integers(1, max_channels)), draw(sides), draw(sides))
    count = draw(st.integers(1, max_layers))
    flat = draw(st.booleans())
    layers = []
    for i in range(count):
        name, last = f"layer{i}", i == count - 1 and not flat
        if draw(st.integers(0, 2)):
            layer = draw(
                convolutions(
                    source=activation,
                    shape=shape,
                    name=name,
                    last=last,
                    max_channels=max_channels,
                )
            )
        else:
            layer = draw(max_pools(source=activation, shape=shape, name=name))
        layers.append(layer)
        shape, activation = layer.shape_out, layer.output
    if flat:
        layers.append(
            draw(linears(source=activation, inputs=math.prod(shape), max_size=12, name="flat"))
        )
    return QuantizedNetwork(
        name="drawn",
        data="none",
        inputs={
            INPUT: InputQuantizer(
                shape=first, activation=source, rounding=draw(st.sampled_from(Rounding))
            )
        },
        layers=tuple(layers),
    )
