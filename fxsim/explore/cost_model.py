"""What synthesis would find, fitted to what it did find."""

from __future__ import annotations

from fxsim.network import QuantizedNetwork


class CostModel:
    """Predicts cells."""

    def predict(self, network: QuantizedNetwork) -> dict[str, float]:
        """Cells of a network by kind."""
        raise NotImplementedError
