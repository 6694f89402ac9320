"""Activations rounded in the forward pass of training, their gradients passed straight through.

Each quantizer yields real values that stand on the grid of the integers; saturated ones pass their
gradient too, as weights do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from fxsim.arithmetic.formats import IntFormat, Overflow, Rounding
from fxsim.network import Activation
from fxsim.training.rounding import grid_ratio, round_asymmetric, round_real, straight_through

_TINY = float(np.finfo(np.float64).tiny)


class Quantizer(Protocol):
    """How a tensor of real values is rounded."""

    def values(self, x: torch.Tensor) -> torch.Tensor:
        """``x`` rounded, in its shape and dtype; knows no gradient."""


@dataclass(frozen=True, kw_only=True)
class Calibrated:
    """A format and a scale found beforehand, for the real values of what `integers` makes.

    See `fxsim.quantizer.activation.integers`.

    Parameters
    ----------
    activation : Activation
    rounding : Rounding
    overflow : Overflow
    dtype : str, optional
        Type that the values are as precise as, such as ``float32``; that of the tensor if left out.
    """

    activation: Activation
    rounding: Rounding
    overflow: Overflow = Overflow.SATURATE
    dtype: str | None = None

    def values(self, x: torch.Tensor) -> torch.Tensor:
        """See `Quantizer`."""
        fmt, zero, scale = self.activation.format, self.activation.zero_point, self.activation.scale
        ratio = grid_ratio(x, scale, self.dtype or str(x.dtype).removeprefix("torch."))
        if self.overflow is Overflow.SATURATE:
            q = round_real(ratio.clamp_(fmt.min - zero, fmt.max - zero), self.rounding)
        else:
            whole = round_real(ratio, self.rounding).to(torch.int64)
            q = ((whole + zero - fmt.min) % (1 << fmt.bits) + (fmt.min - zero)).double()
        return q.mul_(scale).to(x.dtype)

    def state(self) -> list[Any]:
        """Plain values, for a state on disk."""
        found = self.activation
        modes = [self.rounding.value, self.overflow.value]
        return [str(found.format), found.scale, found.zero_point, *modes]

    @classmethod
    def from_state(cls, state: list[Any]) -> Calibrated:
        """The inverse of `state`."""
        text, scale, zero, rounding, overflow = state
        return cls(
            activation=Activation(format=IntFormat.parse(text), scale=scale, zero_point=zero),
            rounding=Rounding(rounding),
            overflow=Overflow(overflow),
        )


@dataclass(frozen=True, kw_only=True)
class OnTheFly:
    """The range taken when the values arrive (Alvarez et al. 2016, section 3.1 and eq. (2), (3)).

    V' = round(Q V) - round(Q V_min) with Q = S / (V_max - V_min) and floor(x + 0.5), recovered as
    (V' + round(Q V_min)) / Q. Bit for bit what `fxsim.quantizer.weight.range_scale` and
    `quantize_asymmetric` do to weights: the range is made to hold 0, so that 0 is exact and
    V_max = V_min (the state that a sequence starts from) is no exception.

    Every sample has its own range, and so has every time step of a sequence: what a network
    computes must not depend on what else it is given.

    Parameters
    ----------
    bits : int
        S = 2**bits - 1.
    """

    bits: int

    def values(self, x: torch.Tensor) -> torch.Tensor:
        """See `Quantizer`; vectors (..., items), or images (n, channels, rows, columns)."""
        top = (1 << self.bits) - 1
        rows = (x.flatten(1) if x.ndim == 4 else x).double()
        low, high = rows.aminmax(dim=-1, keepdim=True)
        scale = (high.clamp_(min=0) / top).sub_(low.clamp_(max=0) / top)
        q = round_asymmetric(rows / scale.clamp_(min=_TINY), top)  # zeros are 0 by any scale
        return q.mul_(scale).to(x.dtype).view_as(x)


def rounded(x: torch.Tensor, quantizer: Quantizer | None) -> torch.Tensor:
    """``x`` by a quantizer, if there is one, with the gradient passed straight through."""
    if quantizer is None:
        return x
    with torch.no_grad():
        value = quantizer.values(x)
    return straight_through(value, x)
