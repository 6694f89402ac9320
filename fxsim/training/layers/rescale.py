"""Rescaled activations in training: what `fxsim.training.activations` rounds, and no more."""

from __future__ import annotations

import torch
from torch import nn

from fxsim.spec.specification import RescaleSpec


class Rescale(nn.Module):
    """Its operand, the nonlinearity applied.

    Parameters
    ----------
    spec : RescaleSpec
    """

    def __init__(self, spec: RescaleSpec) -> None:
        super().__init__()
        self.relu = spec.relu

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Outputs of the shape of ``x``."""
        return torch.relu(x) if self.relu else x
