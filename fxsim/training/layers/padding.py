"""Padding of images in training."""

from __future__ import annotations

import torch
from torch import nn

from fxsim.arithmetic.windows import Padding


def padded(x: torch.Tensor, padding: Padding, value: float) -> torch.Tensor:
    """Images (n, channels, height, width) with ``value`` in their padding."""
    if not any(padding):
        return x
    sides = (padding.left, padding.right, padding.top, padding.bottom)
    return nn.functional.pad(x, sides, value=value)
