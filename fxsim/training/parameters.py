"""From a network in training to the arrays of a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from fxsim.floats.checkpoint import Checkpoint, LinearParameters, RetrainedParameters
from fxsim.network import FloatArray
from fxsim.spec.specification import NetworkSpec
from fxsim.training.module import Network
from fxsim.training.product import Product

_ARRAYS = ("weight", "bias", "gain")
"""Arrays of `LinearParameters`; not all have a gain."""


def snapshot(spec: NetworkSpec, network: Network) -> Checkpoint:
    """The float parameters as they are now."""
    names = [product.name for product in spec.products]
    return Checkpoint(
        parent=dict(zip(names, map(product_parameters, network.linears()), strict=True))
    )


def product_parameters(linear: Product) -> LinearParameters:
    """Weight and bias of a product, and its gain where there is one."""
    return LinearParameters(weight=linear.array(), **linear.folded())


def fisher(network: Network, optimizer: torch.optim.Optimizer) -> list[LinearParameters]:
    """Second moments of Adam, without their bias towards 0."""
    decay = optimizer.param_groups[0]["betas"][1]

    def moment(parameter: torch.Tensor) -> FloatArray:
        state = optimizer.state[parameter]
        if not state:  # no update, or a bias that stays 0
            return np.zeros(tuple(parameter.shape))
        moment = state["exp_avg_sq"] / (1 - decay ** float(state["step"]))
        return np.asarray(moment.cpu().numpy(), dtype=np.float64)

    return [
        LinearParameters(weight=moment(product.weight), bias=moment(product.bias))
        for product in network.linears()
    ]


def retrained(linear: Product) -> RetrainedParameters:
    """Parameters of a quantized product, with scale and levels."""
    assert linear.scale is not None
    parameters = product_parameters(linear)
    return RetrainedParameters(
        weight=parameters.weight,
        bias=parameters.bias,
        gain=parameters.gain,
        scale=linear.scale,
        levels=linear.layer.weights.levels,
        exponents=linear.layer.weights.exponents,
    )


def pack(parameters: Mapping[str, LinearParameters]) -> dict[str, list[torch.Tensor]]:
    """Parameters as tensors, for a state on disk."""
    return {
        name: [torch.from_numpy(a) for a in (p.weight, p.bias, p.gain) if a is not None]
        for name, p in parameters.items()
    }


def unpack(packed: Mapping[str, list[torch.Tensor]]) -> dict[str, LinearParameters]:
    """The inverse of `pack`."""
    return {
        name: LinearParameters(**{k: a.numpy() for k, a in zip(_ARRAYS, arrays, strict=False)})
        for name, arrays in packed.items()
    }
