"""Nonlinearities in training."""

from __future__ import annotations

import math

import torch


def limited(x: torch.Tensor, limits: tuple[float, float]) -> torch.Tensor:
    """Values brought between two limits, such as those of `fxsim.spec.kind.Kind.limits`."""
    low, high = limits
    if low == 0 and math.isinf(high):
        return torch.relu(x)
    return x if math.isinf(low) and math.isinf(high) else torch.clamp(x, low, high)
