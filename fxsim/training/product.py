"""Weight and bias of a matrix product in training, quantized in the forward pass or not."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from fxsim.floats.checkpoint import LinearParameters
from fxsim.network import FloatArray
from fxsim.quantizer.quantizer import groups_of
from fxsim.spec.specification import ProductSpec
from fxsim.training.activations import Quantizer, rounded
from fxsim.training.rounding import round_asymmetric, round_to_levels, straight_through


class QuantizeWeight(torch.autograd.Function):
    """Round a weight matrix to scale * `fxsim.quantizer.quantizer.integer_weight`, bit for bit.

    The gradient passes straight through: weights are updated in float by what the quantized ones
    would have needed (Sung et al. 2015, section 2.3).
    """

    @staticmethod
    def forward(
        ctx: Any, weight: torch.Tensor, scale: torch.Tensor, spec: ProductSpec
    ) -> torch.Tensor:
        """Quantized real values of ``weight``, in its dtype; ``scale`` is float64, one or a row."""
        weights, ratio = spec.weights, weight.to(scale.dtype) / scale[:, None]
        if weights.asymmetric:
            top = weights.levels - 1
            groups = ratio.clamp_(-top, top).view(groups_of(spec, len(ratio)), -1)
            q = round_asymmetric(groups, top).view_as(ratio)
        else:
            q = round_to_levels(ratio, weights)
        return (q * scale[:, None]).to(weight.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        """Pass the gradient through."""
        return gradients[0], None, None


class Product(nn.Module):
    """Weight and bias of a matrix product, float until it is given a scale.

    ``inputs`` is how it rounds what it takes, where that is not rounded before.

    Parameters
    ----------
    spec : LinearSpec, LstmSpec, ProjectionSpec or ConvolutionSpec
        Says how the weights are quantized.
    outputs, inputs : int
    biased : bool
        Without, the bias stays 0.
    """

    def __init__(
        self, spec: ProductSpec, outputs: int, inputs: int, *, biased: bool = True
    ) -> None:
        super().__init__()
        self.spec = spec
        self.layer = spec
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs), requires_grad=biased)
        self.norm: nn.BatchNorm1d | nn.BatchNorm2d | None = None
        self._scale: torch.Tensor | None = None
        self.inputs: Quantizer | None = None
        self.float_backward = False

    @property
    def quantized(self) -> bool:
        """True if the weight is quantized; unlike `scale` it copies nothing from a GPU."""
        return self._scale is not None

    @property
    def scale(self) -> FloatArray | None:
        """Weight scale, shape (1,) or (outputs,); None while the weight is float."""
        return None if self._scale is None else self._scale.cpu().numpy()

    @scale.setter
    def scale(self, scale: FloatArray | None) -> None:
        self._scale = None
        if scale is not None:
            self._scale = torch.from_numpy(np.array(scale)).to(self.weight.device)

    def limit_levels(self, levels: int) -> None:
        """Quantize to ``levels``, unless the specification asks for more; `layer` says so too."""
        weights = self.spec.weights.at_least(levels)
        self.layer = self.spec.model_copy(update={"weights": weights})

    def load(self, parameters: LinearParameters) -> None:
        """Take weight and bias from a checkpoint.

        A batch normalisation computes the same with a mean of 0 and a variance of 1;
        `fxsim.training.statistics` finds what they are.
        """
        with torch.no_grad():
            self.weight.copy_(torch.from_numpy(parameters.weight))
            if self.norm is None:
                self.bias.copy_(torch.from_numpy(parameters.bias))
                return
            assert parameters.gain is not None
            self.norm.reset_running_stats()
            deviation = math.sqrt(1 + self.norm.eps)
            self.norm.weight.copy_(torch.from_numpy(parameters.gain * deviation))
            self.norm.bias.copy_(torch.from_numpy(parameters.bias))

    def array(self) -> FloatArray:
        """The float weight, shape (outputs, inputs)."""
        return float_array(self.weight)

    def folded(self) -> dict[str, FloatArray]:
        """Bias, and the gain where there is one, as a checkpoint holds them.

        That of the batch normalisation with its running mean and variance.
        """
        norm = self.norm
        if norm is None:
            return {"bias": float_array(self.bias)}
        assert norm.running_mean is not None
        assert norm.running_var is not None
        gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        return {
            "bias": float_array(norm.bias - gain * norm.running_mean),
            "gain": float_array(gain),
        }

    def product(
        self, x: torch.Tensor, apply: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    ) -> torch.Tensor:
        """``apply(x, weight)``, linear in x, with weight and inputs as they are quantized.

        With ``float_backward`` errors and gradients of the weight are those of the float product.
        """
        if not (self.quantized and self.float_backward and torch.is_grad_enabled()):
            return apply(self.taken(x), self.real_weight())
        with torch.no_grad():
            value = apply(self.taken(x), self.real_weight())
        return straight_through(value, apply(x, self.weight))

    def taken(self, x: torch.Tensor) -> torch.Tensor:
        """``x`` as the product takes it."""
        return rounded(x, self.inputs)

    def normalised(self, x: torch.Tensor) -> torch.Tensor:
        """``x`` after the batch normalisation, if there is one, over all steps of sequences.

        A single vector has no variance, so it gets that of all before.
        """
        norm = self.norm
        if norm is None:
            return x
        samples = x.flatten(0, 1) if x.ndim == 3 else x
        if self.training and len(samples) == 1 and samples.ndim == 2:
            values = nn.functional.batch_norm(
                samples, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps
            )
        else:
            values = norm(samples)
        return values.view_as(x)

    def real_weight(self) -> torch.Tensor:
        """The weight, quantized if there is a scale."""
        weight: torch.Tensor = self.weight
        if self._scale is not None:
            weight = QuantizeWeight.apply(  # type: ignore[no-untyped-call]
                weight, self._scale, self.layer
            )
        return weight


def float_array(tensor: torch.Tensor) -> FloatArray:
    """The values of a tensor, wherever it is, in float64."""
    return tensor.detach().cpu().numpy().astype(np.float64)
