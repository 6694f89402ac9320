"""Random networks with shortcuts and adds, of images and of vectors, often with an argmax."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st

from fxsim.arithmetic.formats import IntFormat, Overflow, Rounding
from fxsim.network import (
    INPUT,
    Argmax,
    InputQuantizer,
    MaxPool,
    QuantizedAdd,
    QuantizedNetwork,
    Tail,
    Windows,
    add_bounds,
)
from fxsim.timing.depths import with_depths
from tests.image_strategies import convolution_of, convolutions, divisor, max_pools
from tests.strategies import activations, clamped, linears


@st.composite
def adds(draw, *, summands, shape, name="add"):
    """Random `QuantizedAdd` objects, whose sums come to a few bits more often than not."""
    bits = draw(st.integers(0, 12))
    most = (1 << bits) - 1
    multipliers = [1] * len(summands)
    if bits:
        multipliers = [draw(st.integers(0, most) | st.just(most)) for _ in summands]
    bounds = add_bounds(multipliers, summands)
    accumulator = IntFormat.spanning(*bounds, signed=True).bits + draw(st.integers(0, 2))
    overflow = draw(st.sampled_from(Overflow))
    output = draw(activations(wraps=overflow is Overflow.WRAP))
    tail = draw(
        clamped(
            Tail(
                multiplier=np.array(multipliers),
                multiplier_bits=bits,
                shift=draw(st.integers(0, 3) | st.integers(max(0, accumulator - 9), accumulator)),
                rounding=draw(st.sampled_from(Rounding)),
                overflow=overflow,
                relu=draw(st.booleans()),
            ),
            output.format,
        )
    )
    return QuantizedAdd(
        name=name,
        shape=shape,
        summands=tuple(summands),
        tail=tail,
        accumulator=IntFormat(bits=accumulator, signed=True),
        output=output,
        lanes=draw(divisor(shape[0])),
    )


@st.composite
def same_shape(draw, *, source, shape, name):
    """A layer that keeps the shape of what it takes."""
    if len(shape) == 1:
        (size,) = shape
        return draw(linears(source=source, inputs=size, outputs=size, name=name, last=False))
    channels, height, width = shape
    kernel = draw(st.sampled_from([k for k in (1, 3, 5) if k <= min(height, width) + 1]))
    groups = draw(divisor(channels))
    pools = draw(st.integers(0, 3)) == 0
    windows = Windows(
        channels=channels,
        height=height,
        width=width,
        kernel=(kernel, kernel),
        padding=kernel // 2,
        groups=1 if pools else groups,
    )
    if pools:
        return MaxPool(name=name, input=source, windows=windows, lanes=draw(divisor(channels)))
    return draw(convolution_of(windows, source=source, outputs=channels, max_channels=4, name=name))


@st.composite
def residual_networks(draw, *, max_blocks=2, max_side=7, max_channels=4, max_items=12, images=True):
    """Each block is one to three layers that keep the shape, and an add behind them.

    Shortcuts start anywhere before with the right shape, so that they nest, cross, and share their
    start. Without ``images`` there are vectors only.
    """
    source = activation = draw(activations())
    shape = (draw(st.integers(1, max_items)),)
    if images and draw(st.integers(0, 2)):
        sides = st.integers(1, max_side)
        shape = (draw(st.integers(1, max_channels)), draw(sides), draw(sides))
    first, layers, sources = shape, [], {}
    starts = [(INPUT, shape, activation)]

    def put(layer):
        nonlocal shape, activation
        layers.append(layer)
        shape, activation = layer.shape_out, layer.output
        starts.append((layer.name, shape, activation))

    for _ in range(draw(st.integers(1, max_blocks))):
        name = f"layer{len(layers)}"
        if draw(st.booleans()):  # another shape
            if len(shape) == 1:
                layer = linears(
                    source=activation,
                    inputs=shape[0],
                    max_size=max_items,
                    name=name,
                    last=False,
                )
            elif draw(st.booleans()):
                layer = max_pools(source=activation, shape=shape, name=name)
            else:
                layer = convolutions(
                    source=activation,
                    shape=shape,
                    name=name,
                    last=False,
                    max_channels=max_channels,
                )
            put(draw(layer))
        for _ in range(draw(st.integers(1, 3))):
            put(draw(same_shape(source=activation, shape=shape, name=f"layer{len(layers)}")))
        *possible, _ = [start for start in starts if start[1] == shape]
        shortcut, _, other = draw(st.sampled_from(possible))
        name = f"layer{len(layers)}"
        sources[name] = (layers[-1].name, shortcut)
        put(draw(adds(summands=(activation, other), shape=shape, name=name)))
    if draw(st.booleans()):
        put(
            draw(
                linears(source=activation, inputs=math.prod(shape), max_size=max_items, name="flat")
            )
        )
    items = math.prod(shape)
    if items > 1 and draw(st.booleans()):
        lanes = draw(divisor(items))
        put(Argmax(name="answer", input=activation, items=items, lanes=lanes))
    network = QuantizedNetwork(
        name="drawn",
        data="none",
        inputs={
            INPUT: InputQuantizer(
                shape=first, activation=source, rounding=draw(st.sampled_from(Rounding))
            )
        },
        layers=tuple(layers),
        sources=sources,
    )
    return with_depths(network)
