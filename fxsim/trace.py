"""What a simulation saw, layer by layer: integer tensors, ranges and counts of events."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fxsim.network import IntArray


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerTrace:
    """One layer over a batch of ``n`` vectors.

    Parameters
    ----------
    accumulators, activations : int64 array, shape (n, outputs)
        Before and after requantization; the same without a requantizer.
    overflows : int
        Beats whose exact sum left the accumulator format.
    clipped : int
        Activations that left the output format before they were saturated or wrapped.
    products : int
        Multiplications of the dense layer, n * outputs * inputs.
    zero_activations, zero_products : int
        Products whose activation operand is 0, and products where either operand is 0.
    """

    name: str
    accumulators: IntArray
    activations: IntArray
    overflows: int
    clipped: int
    products: int
    zero_activations: int
    zero_products: int

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
    """A whole simulation; ``input`` has shape (n, inputs)."""

    input: IntArray
    layers: tuple[LayerTrace, ...]

    @property
    def output(self) -> IntArray:
        """What the last layer yields, shape (n, outputs)."""
        return self.layers[-1].activations


def span(values: IntArray) -> tuple[int, int]:
    """Least and greatest of ``values``; (0, 0) when there are none."""
    return (int(np.min(values)), int(np.max(values))) if values.size else (0, 0)
