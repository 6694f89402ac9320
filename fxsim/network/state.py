"""State of a batch of sequences from one call of the simulator to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from fxsim.arguments import as_array, check_type
from fxsim.arithmetic.formats import IntFormat
from fxsim.arithmetic.tensors import IntArray, check_range
from fxsim.errors import RangeError
from fxsim.network.layer import LayerKind
from fxsim.network.quantized import QuantizedNetwork


@dataclass(frozen=True, kw_only=True, eq=False)
class LstmState:
    """State of one LSTM layer between two steps of ``n`` sequences.

    Parameters
    ----------
    hidden : int64 array, shape (n, outputs)
        h, in the format of the layer's output.
    cell : int64 array, shape (n, cells)
        c, in the format of the cell state.
    """

    hidden: IntArray
    cell: IntArray


State: TypeAlias = Mapping[str, LstmState]
"""State of every LSTM layer of a network, by the layer's name."""


def reset_state(layer: LayerKind, count: int) -> LstmState:
    """State at the start of ``count`` sequences: real 0 everywhere."""
    return LstmState(
        **{
            name: np.full((count, kind.items), kind.activation.zero_point, np.int64)
            for name, kind in layer.state.items()
        }
    )


def as_state(network: QuantizedNetwork, state: State | None, count: int) -> dict[str, LstmState]:
    """Validated int64 copy of ``state`` for ``count`` sequences; None is that of new sequences.

    Raises
    ------
    RangeError
        If a layer is missing or unknown, or an array has the wrong shape, is not of integers, or
        leaves its format; the message names the layer.
    """
    layers = {layer.name: layer for layer in network.layers if layer.state}
    if state is None:
        return {name: reset_state(layer, count) for name, layer in layers.items()}
    check_type(state, Mapping, "state")
    if state.keys() != layers.keys():
        given = sorted(map(str, state))
        raise RangeError(f"state must be of the layers {sorted(layers)}, not {given}")
    for name, given_state in state.items():
        check_type(given_state, LstmState, f"state of {name}")
    return {
        name: LstmState(
            **{
                part: _as_integers(
                    f"{name}: {part}",
                    getattr(state[name], part),
                    (count, kind.items),
                    kind.activation.format,
                )
                for part, kind in layer.state.items()
            }
        )
        for name, layer in layers.items()
    }


def _as_integers(what: str, array: IntArray, shape: tuple[int, int], fmt: IntFormat) -> IntArray:
    array = as_array(array, what)
    if array.shape != shape:
        raise RangeError(f"{what} must have shape {shape}, not {array.shape}")
    if array.dtype.kind not in "iu":
        raise RangeError(f"{what} must hold integers, not {array.dtype}")
    check_range(array, fmt.min, fmt.max, what)
    return np.array(array, np.int64, order="C")
