"""Sums of layers in training."""

from __future__ import annotations

import functools

import torch
from torch import nn

from fxsim.spec.specification import AddSpec
from fxsim.training.layers.nonlinearity import limited


class Add(nn.Module):
    """The sum of two tensors or more.

    Parameters
    ----------
    spec : AddSpec
    """

    def __init__(self, spec: AddSpec) -> None:
        super().__init__()
        self.limits = spec.limits

    def forward(self, *operands: torch.Tensor) -> torch.Tensor:
        """Outputs of the shape of each, nonlinearity applied."""
        total = functools.reduce(torch.add, operands)
        return limited(total, self.limits)
