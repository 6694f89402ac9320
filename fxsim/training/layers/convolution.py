"""Convolutions in training."""

from __future__ import annotations

import torch
from torch import nn

from fxsim.arithmetic.windows import Windows
from fxsim.spec.specification import ConvolutionSpec
from fxsim.training.layers.nonlinearity import limited
from fxsim.training.layers.padding import padded
from fxsim.training.product import Product


class Convolution(Product):
    """A convolution, with or without batch normalisation.

    Parameters
    ----------
    spec : ConvolutionSpec
    windows : Windows
    """

    def __init__(self, spec: ConvolutionSpec, windows: Windows) -> None:
        super().__init__(spec, spec.units, windows.size)
        self.windows = windows
        self.limits = spec.limits
        self.norm = nn.BatchNorm2d(spec.units) if spec.batch_norm else None
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Outputs (n, units, rows, columns), nonlinearity applied."""
        windows = self.windows
        shape = (len(self.weight), *windows.kernel, windows.group_channels)
        bias = None if self.norm is not None else self.bias
        numbers = (windows.stride, 0, 1, windows.groups)

        def apply(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
            weight = weight.reshape(shape).permute(0, 3, 1, 2)
            x = padded(x, windows.padding, 0.0)
            return nn.functional.conv2d(x, weight, bias, *numbers)

        x = self.product(x, apply)
        x = self.normalised(x)
        return limited(x, self.limits)
