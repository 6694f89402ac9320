"""Look at a recurrent network in training without disturbing it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

from fxsim.data import Split
from fxsim.floats.scores import bits_per_character
from fxsim.network import FloatArray
from fxsim.spec.specification import SparsifySpec
from fxsim.training.batches import tensors
from fxsim.training.layers.lstm import Lstm
from fxsim.training.module import Network
from fxsim.training.sparsify import Sparsifier, correlation


@dataclass(frozen=True, kw_only=True)
class OneStep:
    """Effect of one threshold on one backward pass, as in figure 3 of Zhu et al. 2017.

    Parameters
    ----------
    tau : float
        Threshold times batch * time.
    sparsity : float
        Share of zero gate gradients over all layers.
    correlation : float
        Of dW with the dense dW0 over all W and U.
    """

    tau: float
    sparsity: float
    correlation: float


def one_step(network: Network, split: Split, taus: Sequence[float]) -> list[OneStep]:
    """Gradients of one batch, all sequences from the state 0, under a row of thresholds."""
    x, y = tensors(split, _device(network))
    weights = [
        product.weight
        for layer in network.lstms
        for product in (layer.input_product, layer.hidden_product)
    ]
    found, dense = [], None
    for tau in (0.0, *taus):
        with at_rest(network):
            rules = [Sparsifier(SparsifySpec(tau=tau)) for _ in network.lstms]
            for layer, rule in zip(network.lstms, rules, strict=True):
                layer.rule = rule
            loss = torch.nn.functional.cross_entropy(network(x).flatten(0, -2), y.flatten())
            gradients = torch.autograd.grad(loss, weights)
        if dense is None:
            dense = gradients
            continue
        found.append(
            OneStep(
                tau=tau,
                sparsity=float(np.mean([rule.sparsity for rule in rules])),
                correlation=correlation(gradients, dense),
            )
        )
    return found


def validate(network: Network, split: Split) -> float:
    """Bits per character, each sequence from the state 0."""
    with at_rest(network), torch.no_grad():
        logits = network(tensors(split, _device(network))[0])
    return bits_per_character(logits.cpu().numpy().astype(np.float64), split.y)


def gate_values(network: Network, split: Split) -> FloatArray:
    """Activations of the gates i, f, o, g of all layers on a batch, shape (4, values)."""
    rows: list[torch.Tensor] = []

    def see(layer: Lstm, inputs: tuple[torch.Tensor, ...], y: torch.Tensor) -> None:
        (x,), W, U = inputs, layer.input_product, layer.hidden_product
        before = torch.cat([torch.zeros_like(y[:, :1]), y[:, :-1]], dim=1)
        z = x @ W.real_weight().t() + before @ U.real_weight().t() + W.bias + U.bias
        i, f, o, g = z.chunk(4, dim=2)
        gates = (torch.sigmoid(i), torch.sigmoid(f), torch.sigmoid(o), torch.tanh(g))
        rows.append(torch.stack([gate.flatten() for gate in gates]))

    handles = [layer.register_forward_hook(see) for layer in network.lstms]
    with at_rest(network), torch.no_grad():
        network(tensors(split, _device(network))[0])
    for handle in handles:
        handle.remove()
    values: FloatArray = torch.cat(rows, dim=1).cpu().numpy().astype(np.float64)
    return values


def _device(network: Network) -> torch.device:
    return next(network.parameters()).device


@contextmanager
def at_rest(network: Network) -> Iterator[None]:
    """New state and no dropout; state and rules come back."""
    kept = [(layer.state, layer.rule) for layer in network.lstms]
    network.reset_state()
    network.eval()
    try:
        yield
    finally:
        network.train()
        for layer, (state, rule) in zip(network.lstms, kept, strict=True):
            layer.state, layer.rule = state, rule
