"""Sums of two layers in training."""

from __future__ import annotations

import torch
from torch import nn

from fxsim.spec.specification import AddSpec


class Add(nn.Module):
    """The sum of two tensors.

    Parameters
    ----------
    spec : AddSpec
    """

    def __init__(self, spec: AddSpec) -> None:
        super().__init__()
        self.relu = spec.relu

    def forward(self, x: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """Outputs of the shape of either, nonlinearity applied."""
        return torch.relu(x + other) if self.relu else x + other
