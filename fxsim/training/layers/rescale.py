"""Rescaled activations in training: what `fxsim.training.activations` rounds, and no more."""

from __future__ import annotations

import torch
from torch import nn

from fxsim.spec.specification import RescaleSpec
from fxsim.training.layers.nonlinearity import limited


class Rescale(nn.Module):
    """Its operand, the nonlinearity applied.

    Parameters
    ----------
    spec : RescaleSpec
    """

    def __init__(self, spec: RescaleSpec) -> None:
        super().__init__()
        self.limits = spec.limits

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Outputs of the shape of ``x``."""
        return limited(x, self.limits)
