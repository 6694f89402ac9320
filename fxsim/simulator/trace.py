"""Traces: integer tensors, ranges and counts of events that a simulation saw, layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fxsim.network import IntArray
from fxsim.network.graph import only
from fxsim.network.state import LstmState

Tensor: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerTrace:
    """A layer, or a matrix product in it, over a batch of ``n`` vectors or images.

    With LSTM layers tensors have shape (n, t, items), else (n, items).

    Parameters
    ----------
    name : str
        Name of the layer or product.
    tensors : mapping of str to int64 array
        ``activations``: what it yields. ``accumulators``: before requantization, the same without a
        requantizer; of matrix products and adds. An LSTM layer has ``preactivations`` and ``gates``
        of 4 * cells items in block order i, f, o, g, ``cell``, the state after each step, and
        ``cell_outputs``, o * tanh(c).
    counts : mapping of str to int
        ``clipped``: activations that left the output format before they were saturated or wrapped;
        of matrix products and adds. Of matrix products also ``overflows``: beats whose exact sum
        left the accumulator format; ``products``: multiplications of the dense layer, those of a
        convolution with pixels outside the image as well; ``zero_activations`` and
        ``zero_products``: products whose activation is 0, and where either operand is 0.
    parts : tuple of LayerTrace
        Matrix products of a layer with several.
    start, state : LstmState or None
        Before the first and after the last step, of a layer with state.
    """

    name: str
    tensors: Mapping[str, Tensor]
    counts: Mapping[str, int]
    parts: tuple[LayerTrace, ...] = ()
    start: LstmState | None = None
    state: LstmState | None = None

    def __getitem__(self, name: str) -> Tensor:
        """Tensor of a name; KeyError says which there are."""
        if name not in self.tensors:
            known = ", ".join(self.tensors)
            raise KeyError(f"{self.name}: tensor must be one of {known}, not {name!r}")
        return self.tensors[name]

    def reshaped(self, leading: tuple[int, ...]) -> LayerTrace:
        """Trace with tensors (*leading, items)."""
        tensors = {
            name: tensor.reshape(*leading, tensor.shape[-1])
            for name, tensor in self.tensors.items()
        }
        return replace(self, tensors=tensors)

    @property
    def linears(self) -> tuple[LayerTrace, ...]:
        """Traces of matrix products, which count multiplications: of itself or of its parts."""
        return tuple(part for part in (self, *self.parts) if "products" in part.counts)

    @property
    def activations(self) -> IntArray:
        """Outputs of the layer."""
        return self["activations"]

    @property
    def accumulators(self) -> IntArray:
        """Sums before requantization."""
        return self["accumulators"]

    @property
    def accumulator_range(self) -> tuple[int, int]:
        """Least and greatest accumulator seen."""
        return span(self.accumulators)

    @property
    def activation_range(self) -> tuple[int, int]:
        """Least and greatest activation seen."""
        return span(self.activations)


@dataclass(frozen=True, kw_only=True, eq=False)
class Trace:
    """A whole simulation.

    Parameters
    ----------
    inputs : mapping of str to int64 array, shape (n, inputs)
        By name. With LSTM layers (n, t, inputs); every tensor has that form then.
    layers : tuple of LayerTrace
    leaving : tuple of str
        Names of the layers whose activations are outputs.
    """

    inputs: Mapping[str, IntArray]
    layers: tuple[LayerTrace, ...]
    leaving: tuple[str, ...]

    def __getitem__(self, name: str) -> LayerTrace:
        """Trace of a layer by name."""
        return {layer.name: layer for layer in self.layers}[name]

    @property
    def linears(self) -> tuple[LayerTrace, ...]:
        """Traces of every matrix product, in the order of the data."""
        return tuple(product for layer in self.layers for product in layer.linears)

    @property
    def state(self) -> dict[str, LstmState]:
        """State that layers leave, by name: `fxsim.simulator.simulate` goes on from it."""
        return {seen.name: seen.state for seen in self.layers if seen.state is not None}

    @property
    def samples(self) -> int:
        """Number of samples, or of sequences."""
        return len(next(iter(self.inputs.values())))

    @property
    def input(self) -> IntArray:
        """Integers of the only input."""
        return only(self.inputs, "input")

    @property
    def outputs(self) -> dict[str, IntArray]:
        """Outputs of the network, by the names of layers."""
        return {name: self[name].activations for name in self.leaving}

    @property
    def output(self) -> IntArray:
        """Integers of the only output, shape (n, outputs) or (n, t, outputs)."""
        return only(self.outputs, "output")


def combined(
    traces: Sequence[LayerTrace], join: Callable[[Sequence[Tensor]], Tensor]
) -> LayerTrace:
    """One trace, without state, from those of pieces of a batch: tensors joined, counts summed."""
    first = traces[0]
    return LayerTrace(
        name=first.name,
        tensors={name: join([trace[name] for trace in traces]) for name in first.tensors},
        counts={name: sum(trace.counts[name] for trace in traces) for name in first.counts},
        parts=tuple(
            combined(parts, join) for parts in zip(*(t.parts for t in traces), strict=True)
        ),
    )


def span(values: IntArray) -> tuple[int, int]:
    """Least and greatest of ``values``; (0, 0) when there are none."""
    return (int(np.min(values)), int(np.max(values))) if values.size else (0, 0)
