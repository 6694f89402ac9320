"""A zero-skipping unit by itself, in integers: hardware, cycle model and check start from it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from fxsim.arithmetic.formats import IntFormat, MemoryStyle
from fxsim.arithmetic.tensors import Activation, IntArray
from fxsim.names import check_identifier
from fxsim.network.linear import accumulator_bounds
from fxsim.network.tail import Tail


def product_accumulator(
    weights: IntArray, weight: IntFormat, gradient: IntFormat, *, loadable: bool
) -> IntFormat:
    """Smallest format that no sum overflows, whatever the gradients are.

    Parameters
    ----------
    weights : int64 array, shape (items, outputs)
    loadable : bool
        True to allow for all weights of their format instead of these.
    """
    columns = weights.T
    if loadable:
        extreme = max(-weight.min, weight.max)
        columns = np.outer([extreme, -extreme], np.ones(len(weights), np.int64))
    low, high = accumulator_bounds(columns, np.zeros(len(columns), np.int64), gradient)
    return IntFormat.spanning(low, high, signed=True)


@dataclass(frozen=True, kw_only=True, eq=False)
class SkipProduct:
    """The matrix after the skipper, and how its products are made.

    Parameters
    ----------
    rows : int
        Outputs that are computed at a time.
    weight : IntFormat
    weights : int64 array, shape (items, outputs)
    loadable : bool
        True if these are only the weights after power-up, and others may be written.
    tail : Tail
    output : Activation
    dsp : bool
        True if multipliers are meant for DSP blocks, false for LUTs.
    memory : MemoryStyle
    """

    rows: int
    weight: IntFormat
    weights: IntArray = field(repr=False)
    loadable: bool
    tail: Tail
    output: Activation
    dsp: bool
    memory: MemoryStyle

    @property
    def outputs(self) -> int:
        """Values of an output vector."""
        outputs: int = self.weights.shape[1]
        return outputs

    @property
    def tiles(self) -> int:
        """Groups of ``rows`` outputs."""
        return -(-self.outputs // self.rows)


@dataclass(frozen=True, kw_only=True, eq=False)
class SkipUnit:
    """A zero skipper, or with ``product`` a sparse matrix-vector product.

    Parameters
    ----------
    name : str
        A Verilog-safe identifier; the name of the top module.
    gradient : IntFormat
    items, lanes, issue, depth : int
        Values of a vector and of a beat, most pairs of a cycle, beats that the queue holds.
    product : SkipProduct or None
    """

    name: str
    gradient: IntFormat
    items: int
    lanes: int
    issue: int
    depth: int
    product: SkipProduct | None

    def __post_init__(self) -> None:
        check_identifier(self.name, "name")

    @property
    def beats(self) -> int:
        """Beats of a vector."""
        return -(-self.items // self.lanes)
