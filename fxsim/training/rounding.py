"""Rounding of tensors as `fxsim.quantizer.weight` rounds arrays, and gradients that pass it."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
import torch

from fxsim.arithmetic.codes import thresholds
from fxsim.arithmetic.formats import Rounding
from fxsim.quantizer.activation import precision
from fxsim.spec.weights import LevelsSpec


def round_real(value: torch.Tensor, rounding: Rounding) -> torch.Tensor:
    """`fxsim.quantizer.weight.round_real`: whole numbers, in the dtype of ``value``."""
    match rounding:
        case Rounding.FLOOR:
            return value.floor()
        case Rounding.TO_ZERO:
            return value.trunc()
        case Rounding.TIES_EVEN:
            return value.round()
        case Rounding.TIES_POS:
            whole = value.floor()
            return whole.add_(value - whole >= 0.5)
        case Rounding.TIES_AWAY:
            whole = value.trunc()
            rest = value - whole  # exact, so that a tie is a tie; value + 0.5 would not be
            return whole.add_(torch.copysign((rest.abs() >= 0.5).to(value.dtype), rest))


def grid_ratio(x: torch.Tensor, scale: float, dtype: npt.DTypeLike) -> torch.Tensor:
    """`fxsim.quantizer.activation.grid_ratio` of values that are as precise as ``dtype``."""
    relative, least = precision(dtype)
    ratio = x.double() / scale
    tolerance = (ratio.abs() * relative).clamp_(min=least / scale)
    whole = ratio.round()
    rest = ratio - whole  # exact
    distance = rest.abs()
    tie = distance + tolerance >= 0.5
    ratio = torch.where(tie, whole + torch.full_like(rest, 0.5).copysign_(rest), ratio)
    return torch.where(distance <= tolerance, whole, ratio)


def round_to_levels(ratio: torch.Tensor, weights: LevelsSpec) -> torch.Tensor:
    """`fxsim.arithmetic.codes.nearest` level; those of even spacing are rounded in place."""
    if weights.scheme == "symmetric":
        top = weights.levels // 2
        return round_real(ratio.clamp_(-top, top), Rounding.TIES_AWAY)
    magnitudes = torch.from_numpy(weights.magnitudes).to(ratio)
    middles = torch.from_numpy(thresholds(weights.magnitudes)).to(ratio)
    nearest = magnitudes[torch.bucketize(ratio.abs(), middles, right=True)]
    return torch.where(ratio < 0, -nearest, nearest)


def round_asymmetric(ratio: torch.Tensor, top: int) -> torch.Tensor:
    """`fxsim.quantizer.weight.quantize_asymmetric` of values that are divided by the scale already.

    Parameters
    ----------
    ratio : tensor, shape (..., n)
        From -top to top; each row has its zero point.
    top : int
        Levels less one.
    """
    q = round_real(ratio, Rounding.TIES_POS)
    least = q.amin(dim=-1, keepdim=True).clamp_(max=0)  # where the code is 0
    return torch.minimum(q, least.add_(top))


class StraightThrough(torch.autograd.Function):
    """The values of one tensor with the gradient of another.

    What is rounded is treated as if it were not. So is a whole product by Algorithm 1 of Alvarez et
    al. (2016), which goes forward with quantized weights and inputs and back with float ones. For
    y = W x that is the value with the one and the gradient with the other: that of W depends on x
    only, that of x on W.
    """

    @staticmethod
    def forward(ctx: Any, value: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """``value``, whatever ``other`` is."""
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[None, torch.Tensor]:
        """Everything to ``other``."""
        return None, gradients[0]


def straight_through(value: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """`StraightThrough`, and without a graph just ``value``."""
    if not (torch.is_grad_enabled() and other.requires_grad):
        return value
    found: torch.Tensor = StraightThrough.apply(value, other)  # type: ignore[no-untyped-call]
    return found
