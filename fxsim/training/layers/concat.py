"""Joined tensors in training."""

from __future__ import annotations

import torch
from torch import nn


class Concat(nn.Module):
    """Channels of images, or items of vectors, side by side."""

    def forward(self, *operands: torch.Tensor) -> torch.Tensor:
        """Images (n, channels, height, width), or vectors (..., items)."""
        return torch.cat(operands, dim=1 if operands[0].ndim == 4 else -1)
