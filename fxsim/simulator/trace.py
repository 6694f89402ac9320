"""What a simulation saw, layer by layer: integer tensors, ranges and counts of events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fxsim.network import IntArray
from fxsim.network.state import LstmState


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerTrace:
    """One matrix product over a batch of ``n`` vectors; of a convolution, over all its windows.

    Parameters
    ----------
    accumulators, activations : int64 array, shape (n, outputs)
        Before and after requantization; the same without a requantizer.
    overflows : int
        Beats whose exact sum left the accumulator format.
    clipped : int
        Activations that left the output format before they were saturated or wrapped.
    products : int
        Multiplications of the dense layer, n * outputs * inputs; of a convolution, those with
        pixels outside the image as well.
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
    def linears(self) -> tuple[LayerTrace, ...]:
        """The layer's only matrix product: itself."""
        return (self,)

    @property
    def accumulator_range(self) -> tuple[int, int]:
        """Least and greatest accumulator seen."""
        return span(self.accumulators)

    @property
    def activation_range(self) -> tuple[int, int]:
        """Least and greatest activation seen."""
        return span(self.activations)


@dataclass(frozen=True, kw_only=True, eq=False)
class LstmStates:
    """The part of a `LstmTrace` that a backward pass needs, of any integer type."""

    gates: npt.NDArray[Any]
    cells: npt.NDArray[Any]
    activations: IntArray


@dataclass(frozen=True, kw_only=True, eq=False)
class LstmTrace:
    """One LSTM layer over ``n`` sequences of ``t`` vectors.

    Parameters
    ----------
    input_product, hidden_product, projection : LayerTrace
        Of the matrix products, over all n * t vectors.
    preactivations, gates : int64 array, shape (n, t, 4 * cells)
        In block order i, f, o, g.
    cells, cell_outputs : int64 array, shape (n, t, cells)
        Cell state after each step, and o * tanh(c).
    activations : int64 array, shape (n, t, outputs)
        What the layer yields.
    start, state : LstmState
        Before the first and after the last step.
    """

    name: str
    input_product: LayerTrace
    hidden_product: LayerTrace
    projection: LayerTrace | None
    preactivations: IntArray
    gates: IntArray
    cells: IntArray
    cell_outputs: IntArray
    activations: IntArray
    start: LstmState
    state: LstmState

    @property
    def linears(self) -> tuple[LayerTrace, ...]:
        """Traces of the matrix products."""
        both = (self.input_product, self.hidden_product)
        return both if self.projection is None else (*both, self.projection)


@dataclass(frozen=True, kw_only=True, eq=False)
class AddTrace:
    """A sum of two activations over a batch.

    Parameters
    ----------
    accumulators, activations : int64 array, shape (n, outputs)
        Before and after requantization.
    clipped : int
        Activations that left the output format before they were saturated or wrapped.
    """

    name: str
    accumulators: IntArray
    activations: IntArray
    clipped: int

    @property
    def linears(self) -> tuple[LayerTrace, ...]:
        """No matrix product."""
        return ()

    @property
    def accumulator_range(self) -> tuple[int, int]:
        """Least and greatest sum seen."""
        return span(self.accumulators)

    @property
    def activation_range(self) -> tuple[int, int]:
        """Least and greatest activation seen."""
        return span(self.activations)


@dataclass(frozen=True, kw_only=True, eq=False)
class PickTrace:
    """A layer that picks among its inputs: the greatest, or the place of the greatest.

    ``activations`` has shape (n, outputs).
    """

    name: str
    activations: IntArray

    @property
    def linears(self) -> tuple[LayerTrace, ...]:
        """No matrix product."""
        return ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Trace:
    """A whole simulation.

    Parameters
    ----------
    input : int64 array, shape (n, inputs)
        With LSTM layers (n, t, inputs); every tensor has that form then.
    """

    input: IntArray
    layers: tuple[LayerTrace | LstmTrace | AddTrace | PickTrace, ...]

    @property
    def linears(self) -> tuple[LayerTrace, ...]:
        """Traces of every matrix product, in the order of the data."""
        return tuple(product for layer in self.layers for product in layer.linears)

    @property
    def adds(self) -> tuple[AddTrace, ...]:
        """Traces of the adds, in the order of the data."""
        return tuple(layer for layer in self.layers if isinstance(layer, AddTrace))

    @property
    def state(self) -> dict[str, LstmState]:
        """What the LSTM layers leave, by name: `fxsim.simulator.simulate` goes on from it."""
        return {seen.name: seen.state for seen in self.layers if isinstance(seen, LstmTrace)}

    @property
    def output(self) -> IntArray:
        """What the last layer yields, shape (n, outputs) or (n, t, outputs)."""
        return self.layers[-1].activations


def span(values: IntArray) -> tuple[int, int]:
    """Least and greatest of ``values``; (0, 0) when there are none."""
    return (int(np.min(values)), int(np.max(values))) if values.size else (0, 0)
