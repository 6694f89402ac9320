"""Larger images in training."""

from __future__ import annotations

import torch
from torch import nn

from fxsim.spec.specification import ResizeSpec


class Resize(nn.Module):
    """Each pixel several times.

    Parameters
    ----------
    spec : ResizeSpec
    """

    def __init__(self, spec: ResizeSpec) -> None:
        super().__init__()
        self.factors = spec.factors

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images (n, channels, height, width), larger by the factors."""
        vertical, horizontal = self.factors
        return x.repeat_interleave(vertical, dim=2).repeat_interleave(horizontal, dim=3)
