"""Random layers that join, enlarge and rescale, and networks that mix them with all others."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st

from fxsim.arithmetic.formats import Overflow, Rounding
from fxsim.network import (
    INPUT,
    Concat,
    InputQuantizer,
    QuantizedNetwork,
    Rescale,
    Resize,
    Tail,
    TensorType,
)
from fxsim.timing.depths import with_depths
from tests.image_strategies import convolutions, divisor, max_pools
from tests.residual_strategies import adds
from tests.strategies import activations, belows, clamped, linears


@st.composite
def rescales(draw, *, source, shape, name="rescale", output=None):
    """Random `Rescale` objects; the results have a few bits more often than not."""
    bits, channels = draw(st.integers(0, 12)), shape[0]
    count = draw(st.sampled_from([1, channels]))
    most = (1 << bits) - 1
    factor = st.integers(0, most) | st.just(most) if bits else st.just(1)
    reach = 1 << draw(st.integers(0, source.format.bits + bits))
    overflow = draw(st.sampled_from(Overflow))
    if output is None:
        output = draw(activations(wraps=overflow is Overflow.WRAP))
    elif output.format.narrow:
        overflow = Overflow.SATURATE
    shift = draw(st.integers(0, 3) | st.integers(max(0, bits - 2), bits + 2))
    generator = np.random.default_rng(draw(st.integers(0, 99)))
    tail = draw(
        clamped(
            Tail(
                multiplier=np.array([draw(factor) for _ in range(count)]),
                multiplier_bits=bits,
                shift=shift,
                rounding=draw(st.sampled_from(Rounding)),
                overflow=overflow,
                offset=np.array([draw(st.integers(-reach, reach)) for _ in range(count)]),
                slack_bits=draw(st.integers(0, min(shift, 3))),
                below=draw(belows(generator, reach, channels)),
                relu=draw(st.booleans()),
            ),
            output.format,
        )
    )
    return Rescale(
        name=name,
        shape=shape,
        input=source,
        tail=tail,
        output=output,
        lanes=draw(divisor(channels)),
    )


@st.composite
def resizes(draw, *, source, shape, name="resize", max_factor=3):
    """Random `Resize` objects."""
    factors = draw(
        st.tuples(st.integers(1, max_factor), st.integers(1, max_factor)).filter(
            lambda pair: pair != (1, 1)
        )
    )
    lanes = draw(divisor(shape[0]))
    return Resize(name=name, shape=shape, factors=factors, input=source, lanes=lanes)


@st.composite
def concats(draw, *, source, shapes, name="concat"):
    """Random `Concat` objects of given operands."""
    lanes = draw(divisor(math.gcd(*(shape[0] for shape in shapes))))
    return Concat(name=name, shapes=tuple(shapes), input=source, lanes=lanes)


class Graph:
    """A network in the making: layers, what each takes, and what may be taken."""

    def __init__(self, shape, activation):
        self.layers, self.sources = [], {}
        self.types = {INPUT: TensorType(shape, activation)}

    @property
    def name(self):
        """Name of the next layer."""
        return f"layer{len(self.layers)}"

    def put(self, layer, *taken):
        """Add a layer."""
        self.layers.append(layer)
        self.sources[layer.name] = taken
        self.types[layer.name] = TensorType(layer.shape_out, layer.output)
        return layer.name

    @property
    def unused(self):
        """Layers that nobody takes."""
        taken = {name for names in self.sources.values() for name in names}
        return tuple(layer.name for layer in self.layers if layer.name not in taken)


@st.composite
def _single(draw, graph, start, kinds, max_side, max_channels):
    """Add a layer with one operand to a graph."""
    kind = graph.types[start]
    source, shape, name = kind.activation, kind.shape, graph.name
    grows = len(shape) == 3 and max(shape[1:]) <= max_side
    possible = ["rescale", *["resize"] * (2 * grows)]
    possible += ["convolution", "pool"] if len(shape) == 3 else ["linear"]
    match draw(st.sampled_from([kind for kind in possible if kind in kinds] or ["rescale"])):
        case "rescale":
            layer = draw(rescales(source=source, shape=shape, name=name))
        case "resize":
            layer = draw(resizes(source=source, shape=shape, name=name, max_factor=2))
        case "pool":
            layer = draw(max_pools(source=source, shape=shape, name=name))
        case "convolution":
            layer = draw(
                convolutions(
                    source=source, shape=shape, name=name, last=False, max_channels=max_channels
                )
            )
        case "linear":
            layer = draw(
                linears(
                    source=source, inputs=shape[0], max_size=3 * max_channels, name=name, last=False
                )
            )
    graph.put(layer, start)


@st.composite
def _joined(draw, graph, max_operands):
    """Add a layer with several operands to a graph, and what brings these to one activation."""
    base = draw(st.sampled_from(list(graph.types)))
    shape, activation = graph.types[base].shape, graph.types[base].activation
    sums = draw(st.booleans())
    near = [
        name
        for name, kind in graph.types.items()
        if len(kind.shape) == len(shape)
        and (kind.shape == shape if sums else kind.shape[1:] == shape[1:])
    ]
    count = draw(st.integers(1, max_operands - 1))
    operands = [base, *(draw(st.sampled_from(near)) for _ in range(count))]
    if sums:
        summands = [graph.types[name].activation for name in operands]
        graph.put(draw(adds(summands=summands, shape=shape, name=graph.name)), *operands)
        return
    for k, name in enumerate(operands):
        kind = graph.types[name]
        if kind.activation != activation:
            layer = rescales(
                source=kind.activation, shape=kind.shape, name=graph.name, output=activation
            )
            operands[k] = graph.put(draw(layer), name)
    shapes = [graph.types[name].shape for name in operands]
    graph.put(draw(concats(source=activation, shapes=shapes, name=graph.name)), *operands)


KINDS = ("linear", "convolution", "pool", "rescale", "resize")


@st.composite
def mixed_networks(
    draw, *, max_steps=6, max_side=5, max_channels=3, max_operands=3, kinds=KINDS, depths=True
):
    """Layers of all kinds but LSTM behind one another, side by side and joined.

    What no layer takes is an output. An operand may come twice.
    """
    source = draw(activations())
    shape = (draw(st.integers(1, 3 * max_channels)),)
    if draw(st.integers(0, 3)):
        sides = st.integers(1, max_side)
        shape = (draw(st.integers(1, max_channels)), draw(sides), draw(sides))
    graph = Graph(shape, source)
    for _ in range(draw(st.integers(1, max_steps))):
        if draw(st.integers(0, 2)):
            *_, last = graph.types
            start = draw(st.sampled_from(list(graph.types)) | st.just(last))
            draw(_single(graph, start, kinds, max_side, max_channels))
        else:
            draw(_joined(graph, max_operands))
    network = QuantizedNetwork(
        name="drawn",
        data="none",
        inputs={
            INPUT: InputQuantizer(
                shape=shape, activation=source, rounding=draw(st.sampled_from(Rounding))
            )
        },
        layers=tuple(graph.layers),
        sources=graph.sources,
        outputs=graph.unused,
    )
    return with_depths(network) if depths else network
