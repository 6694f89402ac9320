"""The edges of a network: which layer takes what, by name."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from fxsim.spec.formats import Fail


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Names of inputs and layers, and the edges between them.

    Layers are in the order of the file, in which each comes after all that it takes.

    Parameters
    ----------
    inputs : tuple of str
    layers : tuple of str
    sources : tuple of tuple of str
        For each layer the names of what it takes, in the order of its operands.
    outputs : tuple of str
        Layers whose values leave the network; other layers may take them, too.
    """

    inputs: tuple[str, ...]
    layers: tuple[str, ...]
    sources: tuple[tuple[str, ...], ...]
    outputs: tuple[str, ...]

    def consumers(self, name: str) -> tuple[int, ...]:
        """Numbers of the layers that take what ``name`` yields."""
        return tuple(i for i, taken in enumerate(self.sources) if name in taken)

    def ancestors(self, index: int) -> tuple[int, ...]:
        """Numbers of a layer and of all that it depends on, in the order of the file."""
        reached = {self.layers[index]}
        for i in reversed(range(index + 1)):
            if self.layers[i] in reached:
                reached.update(self.sources[i])
        return tuple(i for i in range(index + 1) if self.layers[i] in reached)

    def inputs_of(self, index: int) -> tuple[str, ...]:
        """Names of the inputs that a layer depends on."""
        taken = {name for i in self.ancestors(index) for name in self.sources[i]}
        return tuple(name for name in self.inputs if name in taken)

    def released(self) -> tuple[tuple[str, ...], ...]:
        """For each layer the names that nobody takes after it, outputs left out."""
        last = {name: i for i, taken in enumerate(self.sources) for name in taken}
        return tuple(
            tuple(name for name, end in last.items() if end == i and name not in self.outputs)
            for i in range(len(self.layers))
        )


def check_edges(graph: Graph, paths: Sequence[str], fail: Fail) -> None:
    """Refuse sources and outputs that are not there, or come later.

    Parameters
    ----------
    graph : Graph
    paths : sequence of str
        For each layer the key that its sources are from.
    fail : callable
        Takes whole keys.
    """
    for i, (taken, path) in enumerate(zip(graph.sources, paths, strict=True)):
        known, key = [*graph.inputs, *graph.layers[:i]], path.rsplit(".", 1)[-1]
        for name in taken:
            if name not in known:
                late = name in graph.layers
                hint = ", which comes later" if late else _hint(name, known)
                fail(f"{key} must name an earlier layer or an input, not {name!r}{hint}", path)
    for name in graph.outputs:
        if name not in graph.layers:
            fail(f"outputs must name layers, not {name!r}{_hint(name, graph.layers)}", "outputs")
        if graph.outputs.count(name) > 1:
            fail(f"outputs must differ, not be {name!r} twice", "outputs")


def check_use(graph: Graph, fail: Fail) -> None:
    """Refuse layers and inputs that lead to no output; ``fail`` takes whole keys."""
    used = {*graph.outputs, *(name for taken in graph.sources for name in taken)}
    paths = {name: f"inputs.{name}" for name in graph.inputs}
    paths |= {name: f"layers[{i}]" for i, name in enumerate(graph.layers)}
    for name, path in paths.items():
        if name not in used:
            fail(f"{name!r} must be an output or a source of a layer, but is neither", path)


def _hint(name: str, known: Sequence[str]) -> str:
    """The nearest of the names that are known, or all of them."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f" ({', '.join(known)})"
