"""Pools in training."""

from __future__ import annotations

import math

import torch
from torch import nn

from fxsim.arithmetic.windows import Windows
from fxsim.training.layers.padding import padded


class MaxPool(nn.Module):
    """The greatest value of each window.

    Parameters
    ----------
    windows : Windows
    """

    def __init__(self, windows: Windows) -> None:
        super().__init__()
        self.windows = windows

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Outputs (n, channels, rows, columns)."""
        windows = self.windows
        x = padded(x, windows.padding, -math.inf)
        return nn.functional.max_pool2d(x, windows.kernel, windows.stride)


class AveragePool(nn.Module):
    """The mean of each window.

    Parameters
    ----------
    windows : Windows
    """

    def __init__(self, windows: Windows) -> None:
        super().__init__()
        self.windows = windows

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Outputs (n, channels, rows, columns)."""
        return nn.functional.avg_pool2d(x, self.windows.kernel, self.windows.stride)
