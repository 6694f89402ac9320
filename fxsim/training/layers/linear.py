"""Fully connected layers in training."""

from __future__ import annotations

import torch
from torch import nn

from fxsim.spec.specification import LinearSpec
from fxsim.training.layers.nonlinearity import limited
from fxsim.training.product import Product


class Linear(Product):
    """A fully connected layer, with or without batch normalisation.

    Parameters
    ----------
    spec : LinearSpec
    inputs : int
    """

    def __init__(self, spec: LinearSpec, inputs: int) -> None:
        super().__init__(spec, spec.units, inputs)
        self.limits = spec.limits
        self.norm = nn.BatchNorm1d(spec.units) if spec.batch_norm else None
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Outputs before dropout, nonlinearity applied."""
        bias = None if self.norm is not None else self.bias
        x = self.product(x, lambda x, weight: nn.functional.linear(x, weight, bias))
        x = self.normalised(x)
        return limited(x, self.limits)
