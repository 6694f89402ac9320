"""A MAC array by itself, in integers: hardware, cycles and check start from it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from fxsim.arithmetic.codes import WeightCode
from fxsim.arithmetic.formats import AccumulatorMode, IntFormat
from fxsim.arithmetic.tensors import IntArray, check_bool, set_int
from fxsim.errors import RangeError
from fxsim.network.linear import MAX_LANES, QuantizedLinear


def any_weight_bounds(
    code: WeightCode, inputs: int, bias: IntArray, activation: IntFormat
) -> tuple[int, int]:
    """Least and greatest accumulator for any weights of a code, partial sums included."""
    extremes = code.weights[[0, -1]].tolist()
    products = [w * x for w in extremes for x in (activation.min, activation.max)]
    return inputs * min(products) + int(bias.min()), inputs * max(products) + int(bias.max())


@dataclass(frozen=True, kw_only=True, eq=False)
class MacUnit:
    """The product of a matrix and vectors, ``columns`` of them at a time.

    Parameters
    ----------
    layer : QuantizedLinear
        Arithmetic and folding. Its name is that of the top module.
    columns : int
        Vectors that are multiplied at the same time; they are the columns of a matrix.
    loadable : bool
        True if the weights are only those after power-up, and others may be written.

    Raises
    ------
    RangeError
        If ``columns`` is out of range, or a wide accumulator does not hold what any weights of the
        code reach although others may be written.
    """

    layer: QuantizedLinear
    columns: int = 1
    loadable: bool = False

    def __post_init__(self) -> None:
        set_int(self, "columns", 1, MAX_LANES)
        check_bool(self.loadable, "loadable")
        layer, accumulator = self.layer, self.layer.accumulator
        if self.loadable and accumulator.mode is AccumulatorMode.WIDE:
            low, high = any_weight_bounds(layer.code, layer.inputs, layer.bias, layer.input.format)
            if not accumulator.format.holds(low, high):
                raise RangeError(
                    f"{layer.name}: wide accumulator must hold {low} to {high}, which"
                    f" {accumulator.format} does not"
                )

    @property
    def name(self) -> str:
        """Name of the top module."""
        return self.layer.name

    @property
    def lanes_out(self) -> int:
        """Fewest whole rows of the output that carry a tile in the time it takes to compute."""
        return self.layer.lanes_out * self.columns

    @property
    def cells(self) -> int:
        """Multiply-accumulate cells."""
        return self.layer.folding.rows * self.layer.folding.simd * self.columns

    def with_weights(self, weights: IntArray) -> MacUnit:
        """The unit after other weights of shape (outputs, inputs) were written."""
        return replace(self, layer=replace(self.layer, weight=weights))

    def matrices(self, vectors: IntArray) -> IntArray:
        """Vectors side by side as columns, the last matrix filled up with zeros.

        Parameters
        ----------
        vectors : int64 array, shape (n, items)

        Returns
        -------
        int64 array, shape (ceil(n / columns), items, columns)
        """
        count, items = vectors.shape
        padded = np.zeros((-(-count // self.columns) * self.columns, items), np.int64)
        padded[:count] = vectors
        return padded.reshape(-1, self.columns, items).swapaxes(1, 2)
