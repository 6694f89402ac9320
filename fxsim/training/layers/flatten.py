"""Images to vectors in training."""

from __future__ import annotations

import torch
from torch import nn


class Flatten(nn.Module):
    """Images to vectors in the order of `fxsim.arithmetic.windows.Windows`."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Vectors (n, items) of images (n, channels, height, width)."""
        return x.permute(0, 2, 3, 1).flatten(1)
