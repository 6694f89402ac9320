"""Results of a layer for one vector or image, and what it carries to the next."""

from __future__ import annotations

from dataclasses import dataclass

from fxsim.network import LayerKind


@dataclass(frozen=True)
class LstmState:
    """State of an LSTM layer from one vector to the next."""

    hidden: list[int]
    cell: list[int]


@dataclass(frozen=True)
class LayerResult:
    """Result of a layer for one vector or image; without accumulators, both lists are the same."""

    accumulators: list[int]
    activations: list[int]
    overflows: int
    state: LstmState | None = None


def initial_state(layer: LayerKind) -> LstmState:
    """State at the start of a sequence: real 0 everywhere."""
    return LstmState(
        **{name: [kind.activation.zero_point] * kind.items for name, kind in layer.state.items()}
    )
