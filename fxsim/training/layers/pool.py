"""Pools in training."""

from __future__ import annotations

import torch
from torch import nn

from fxsim.arithmetic.windows import Windows


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
        return nn.functional.max_pool2d(x, windows.kernel, windows.stride, windows.padding)


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
