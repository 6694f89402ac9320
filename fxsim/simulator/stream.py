"""Samples of any number through a network, a few at a time: memory does not grow with them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from fxsim.kernels.epilogue import narrowest
from fxsim.network import IntArray, QuantizedNetwork
from fxsim.network.state import as_state
from fxsim.npy import Rows
from fxsim.simulator.inputs import as_inputs, by_name, leading_axes
from fxsim.simulator.simulator import go_on

ITEMS = 1 << 21
"""Greatest number of integers in a tensor of a part, unless one vector has more."""


class Stream:
    """Samples on their way through a network.

    Parameters
    ----------
    network : QuantizedNetwork
    x : Rows, or mapping of str to Rows
        Samples as `fxsim.simulator.simulator.simulate` takes them, by input where there are
        several.

    Raises
    ------
    RangeError
        If a shape is wrong; when parts are taken, if values are.
    """

    def __init__(self, network: QuantizedNetwork, x: Rows | Mapping[str, Rows]) -> None:
        self.network, self._rows = network, dict(by_name(network, x))
        shapes = {name: rows.shape for name, rows in self._rows.items()}
        self.leading = leading_axes(network, shapes)
        """Axes (n,), or (n, t) with LSTM layers."""

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each output by the name of its layer."""
        types, leaving = self.network.types, self.network.leaving
        return {name: (*self.leading, types[name].items) for name in leaving}

    @property
    def vectors(self) -> int:
        """Vectors in all: samples, or steps of all sequences."""
        return math.prod(self.leading)

    def __iter__(self) -> Iterator[dict[str, IntArray]]:
        """Outputs of each part by name, in order: whole samples, or a piece of one sequence."""
        count = self.leading[0]
        steps = self.leading[1] if self.network.recurrent else 1
        most = max(ITEMS // max(kind.items for kind in self.network.types.values()), 1)
        block = max(most // max(steps, 1), 1)
        for first in range(0, max(count, 1), block):
            sequences = min(block, count - first)
            states = as_state(self.network, None, sequences)
            for step in range(0, max(steps, 1), most):
                size = (sequences, min(most, steps - step))[: len(self.leading)]
                part = {name: rows.take(*size) for name, rows in self._rows.items()}
                place = (first, step)[: len(self.leading)]
                yield go_on(self.network, as_inputs(self.network, part, narrowest, place), states)
