"""A `NetworkSpec` as a torch module whose weights can be quantized in the forward pass."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from fxsim.network import FloatArray
from fxsim.quantize import quantize_weight, weight_scale
from fxsim.spec import LinearSpec, NetworkSpec


class QuantizeWeight(torch.autograd.Function):
    """Round a weight matrix to scale * `fxsim.quantize.quantize_weight`.

    The gradient passes straight through: weights are updated in float by what the quantized ones
    would have needed (Sung et al. 2015, section 2.3).
    """

    @staticmethod
    def forward(ctx: Any, weight: torch.Tensor, scale: FloatArray, levels: int) -> torch.Tensor:
        """Quantized real values of ``weight``, in its dtype."""
        q = quantize_weight(weight.numpy(), scale, levels)
        return torch.from_numpy(scale[:, None] * q).to(weight.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        """Pass the gradient through."""
        return gradients[0], None, None


class Linear(nn.Module):
    """A fully connected layer, float until `refresh_scale` gives it a scale.

    Parameters
    ----------
    spec : LinearSpec
    inputs : int
    """

    def __init__(self, spec: LinearSpec, inputs: int) -> None:
        super().__init__()
        self.spec = spec
        self.weight = nn.Parameter(torch.empty(spec.units, inputs))
        self.bias = nn.Parameter(torch.zeros(spec.units))
        self.scale: FloatArray | None = None
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")

    def refresh_scale(self) -> None:
        """Quantize from now on, with the L2-optimal scale of the present weights."""
        self.scale = weight_scale(self.weight.detach().numpy(), self.spec)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Outputs before dropout, nonlinearity applied."""
        weight = self.weight
        if self.scale is not None:
            weight = QuantizeWeight.apply(  # type: ignore[no-untyped-call]
                weight, self.scale, self.spec.weights.levels
            )
        x = nn.functional.linear(x, weight, self.bias)
        return torch.relu(x) if self.spec.nonlinearity == "relu" else x


class Network(nn.Module):
    """A chain of `Linear` layers with dropout between them.

    Parameters
    ----------
    spec : NetworkSpec
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            Linear(layer, spec.layer_inputs(i)) for i, layer in enumerate(spec.layers)
        )
        self.dropout = spec.train.dropout

    def linears(self) -> list[Linear]:
        """The layers, typed."""
        return [layer for layer in self.layers if isinstance(layer, Linear)]

    def refresh_scales(self) -> None:
        """Quantize every layer from now on, with the L2-optimal scales of the present weights."""
        for linear in self.linears():
            linear.refresh_scale()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of samples of shape (n, inputs)."""
        last = len(self.layers) - 1
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if i < last:
                x = nn.functional.dropout(x, self.dropout, self.training)
        return x
