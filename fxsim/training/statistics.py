"""Statistics of batch normalisation for a network that starts from a checkpoint.

A checkpoint holds what normalisation does, a gain and a bias, not the mean and the variance that it
subtracts and divides by. These are measured on the data again; what the network computes at rest
stays the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from fxsim.training.module import Network


@torch.no_grad()
def measure_statistics(network: Network, batches: Iterator[torch.Tensor]) -> None:
    """Set mean and variance of each batch normalisation to those of its input over ``batches``.

    Gain and bias change with them, so that the output without dropout stays as it was.
    """
    norms = [product.norm for product in network.linears() if product.norm is not None]
    if not norms:
        return
    sums: dict[Any, list[torch.Tensor]] = {norm: [] for norm in norms}

    def see(norm: Any, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        x = inputs[0].transpose(0, 1).flatten(1).double()
        count = torch.full_like(x[:, 0], x.shape[1])
        sums[norm].append(torch.stack([count, x.sum(dim=1), x.square().sum(dim=1)]))

    handles = [norm.register_forward_hook(see) for norm in norms]
    network.eval()
    for x in batches:
        network.reset_state()
        network(x)
    network.reset_state()
    for handle in handles:
        handle.remove()
    for norm in norms:
        assert norm.running_mean is not None
        assert norm.running_var is not None
        count, total, squares = torch.stack(sums[norm]).sum(dim=0)
        mean = total / count
        variance = (squares / count - mean.square()).clamp_(min=0)
        gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        bias = norm.bias - gain * norm.running_mean
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_(gain * torch.sqrt(norm.running_var + norm.eps))
        norm.bias.copy_(bias + gain * norm.running_mean)
