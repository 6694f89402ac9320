"""Random series-parallel networks: branches of different length, joins of joins, several ports."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

from fxsim.arithmetic.formats import Rounding
from fxsim.network import (
    INPUT,
    Argmax,
    InputQuantizer,
    IntArray,
    Layer,
    QuantizedNetwork,
    TensorType,
)
from fxsim.timing.depths import with_depths
from tests.image_strategies import convolutions, divisor, max_pools
from tests.lstm_strategies import lstms
from tests.residual_strategies import adds, same_shape
from tests.strategies import activations, linears


@dataclass
class _Graph:
    """What has been drawn so far."""

    draw: Callable
    max_items: int
    max_channels: int
    recurrent: bool
    budget: int
    layers: list[Layer] = field(default_factory=list)
    sources: dict[str, tuple[str, ...]] = field(default_factory=dict)
    types: dict[str, TensorType] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the next layer."""
        return f"layer{len(self.layers)}"

    def put(self, layer: Layer, *sources: str) -> str:
        """Put a layer behind others; its name is returned."""
        self.layers.append(layer)
        self.sources[layer.name] = sources
        self.types[layer.name] = TensorType(layer.shape_out, layer.output)
        self.budget -= 1
        return layer.name

    def keeping(self, at: str) -> str:
        """Put a layer that keeps the shape."""
        kind = self.types[at]
        return self.put(
            self.draw(same_shape(source=kind.activation, shape=kind.shape, name=self.name)), at
        )

    def changing(self, at: str) -> str:
        """Put a layer that yields another shape."""
        kind, name = self.types[at], self.name
        common = {"source": kind.activation, "name": name}
        vector = len(kind.shape) == 1 or self.draw(st.integers(0, 5)) == 0
        if vector and self.recurrent and self.draw(st.booleans()):
            layer = lstms(inputs=kind.items, max_size=min(5, self.max_items), **common)
        elif vector:
            layer = linears(inputs=kind.items, max_size=self.max_items, last=False, **common)
        elif self.draw(st.booleans()):
            layer = max_pools(shape=kind.shape, **common)
        else:
            layer = convolutions(
                shape=kind.shape, last=False, max_channels=self.max_channels, **common
            )
        return self.put(self.draw(layer), at)

    def join(self, *ends: str) -> str:
        """Add up what has one shape."""
        kinds = [self.types[end] for end in ends]
        summands = [kind.activation for kind in kinds]
        return self.put(
            self.draw(adds(summands=summands, shape=kinds[0].shape, name=self.name)), *ends
        )

    def parallel(self, at: str, deep: int) -> str:
        """Put branches that keep the shape, one of which may be a wire, and their sum."""
        ends = []
        for branch in range(self.draw(st.sampled_from([2, 2, 3]))):
            end = at
            for _ in range(self.draw(st.integers(0 if branch else 1, 3))):
                nest = deep > 0 and self.budget > 4 and self.draw(st.integers(0, 3)) == 0
                end = self.parallel(end, deep - 1) if nest else self.keeping(end)
            ends.append(end)
        return self.join(*self.draw(st.permutations(ends)))


@st.composite
def graph_networks(
    draw,
    *,
    max_layers=12,
    max_side=6,
    max_channels=3,
    max_items=8,
    images=True,
    recurrent=False,
    ports=True,
    depths=with_depths,
):
    """Random graphs, with ``ports`` of several inputs and outputs at times.

    ``recurrent`` ones may have LSTM layers in any branch, behind images too. Without ``depths`` the
    queues are left out.
    """
    graph = _Graph(draw, max_items, max_channels, recurrent, draw(st.integers(1, max_layers)))
    shape = (draw(st.integers(1, max_items)),)
    if images and draw(st.integers(0, 2)):
        sides = st.integers(1, max_side)
        shape = (draw(st.integers(1, max_channels)), draw(sides), draw(sides))
    names = draw(st.sampled_from([[INPUT], [INPUT], ["a", "b"]])) if ports else [INPUT]
    inputs = {
        name: InputQuantizer(
            shape=shape, activation=draw(activations()), rounding=draw(st.sampled_from(Rounding))
        )
        for name in names
    }
    graph.types.update({name: source.tensor for name, source in inputs.items()})
    ends = [
        graph.keeping(name) if len(names) == 1 or draw(st.booleans()) else name for name in names
    ]
    at = ends[0] if len(ends) == 1 else graph.join(*ends)
    while graph.budget > 0:
        at = graph.parallel(at, 2) if draw(st.booleans()) else graph.changing(at)
    kind = graph.types[at]
    if draw(st.integers(0, 2)) == 0:
        layer = linears(source=kind.activation, inputs=kind.items, max_size=max_items, name="flat")
        at = graph.put(draw(layer), at)
    items = math.prod(graph.types[at].shape)
    if items > 1 and draw(st.booleans()):
        lanes = draw(divisor(items))
        answer = Argmax(name="answer", input=graph.types[at].activation, items=items, lanes=lanes)
        at = graph.put(answer, at)
    outputs = _outputs(draw, graph, at) if ports else ()
    network = QuantizedNetwork(
        name="drawn",
        data="none",
        inputs=inputs,
        layers=tuple(graph.layers),
        sources=graph.sources,
        outputs=outputs,
    )
    return depths(network) if depths else network


def _outputs(draw, graph: _Graph, last: str) -> Sequence[str]:
    """Mostly the last layer alone; else also one or two that others take."""
    others = [layer.name for layer in graph.layers if layer.name != last]
    if not others or draw(st.integers(0, 2)):
        return ()
    more = draw(st.lists(st.sampled_from(others), min_size=1, max_size=2, unique=True))
    return tuple(draw(st.permutations([*more, last])))


def batches_of(
    draw: Callable[..., Any], network: QuantizedNetwork, *leading: int
) -> dict[str, IntArray]:
    """Uniform integers for each input, of the shape (*leading, items)."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    found: dict[str, IntArray] = {}
    for name, source in network.inputs.items():
        fmt = source.activation.format
        shape = (*leading, source.tensor.items)
        found[name] = generator.integers(fmt.min, fmt.max, shape, endpoint=True)
    return found
