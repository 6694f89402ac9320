"""One epoch of training, and the loss of a network at rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from fxsim.errors import RangeError
from fxsim.spec.specification import NetworkSpec
from fxsim.training.batches import Batch
from fxsim.training.module import Network
from fxsim.training.sparsify import StepRecord, correlation, dense

OnStep = Callable[[StepRecord, Network], None]

IMAGES, VECTORS = 256, 4096
"""Samples that are evaluated together; of images the tensors between the layers are large."""


def run_epoch(
    network: Network,
    batches: Iterator[Batch],
    optimizer: torch.optim.Optimizer,
    *,
    before_update: Callable[[int], None],
    after_update: Callable[[], None],
    clip: float | None,
    first: int,
    on_step: OnStep | None = None,
) -> tuple[float, float]:
    """Mean loss and accuracy over the training samples of one epoch, with dropout.

    Parameters
    ----------
    before_update, after_update : callable
        Called with the number of the update, and with nothing.
    clip : float or None
        Limit of the norm of the gradient.
    first : int
        Number of the first update in its stage, from 0.
    on_step : callable, optional
        Called after each step of a network with rules on gate gradients.

    Raises
    ------
    RangeError
        If the loss is not finite; it says which update.
    """
    total, hits, seen = 0.0, 0, 0
    network.train()
    network.reset_state()
    for update, (x, y) in enumerate(batches, first):
        before_update(update)
        logits = network(x).flatten(0, -2)
        labels = y.flatten()
        loss = cross_entropy(logits, labels)
        if not torch.isfinite(loss):
            raise RangeError(f"loss must stay finite, not {loss:g}")
        optimizer.zero_grad()
        record = _backward(network, loss, update + 1)
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(network.parameters(), clip)
        optimizer.step()
        after_update()
        if record is not None and on_step is not None:
            on_step(record, network)
        total += loss.item() * len(labels)
        hits += int((logits.argmax(dim=1) == labels).sum())
        seen += len(labels)
    return total / seen, hits / seen


@torch.no_grad()
def evaluate(network: Network, data: Batch) -> tuple[float, float]:
    """Mean loss and accuracy without dropout, every sequence from the initial state."""
    network.eval()
    piece = together(network.spec, data[0])
    total, hits = 0.0, 0
    for x, y in zip(torch.split(data[0], piece), torch.split(data[1], piece), strict=True):
        network.reset_state()
        logits, labels = network(x).flatten(0, -2), y.flatten()
        total += float(cross_entropy(logits, labels, reduction="sum"))
        hits += int((logits.argmax(dim=1) == labels).sum())
    network.reset_state()
    return total / data[1].numel(), hits / data[1].numel()


def together(spec: NetworkSpec, x: torch.Tensor) -> int:
    """Samples, or sequences, of those in ``x`` that are evaluated at a time."""
    if not spec.spatial:
        return VECTORS
    return max(1, IMAGES // max(1, x.shape[1])) if spec.recurrent else IMAGES


def _backward(network: Network, loss: torch.Tensor, step: int) -> StepRecord | None:
    """Gradients of the loss; with rules on gate gradients, what these did."""
    rules = [layer.rule for layer in network.lstms if layer.rule is not None]
    if not rules:
        loss.backward()  # type: ignore[no-untyped-call]
        return None
    weights = [
        product.weight
        for layer in network.lstms
        for product in (layer.input_product, layer.hidden_product)
    ]
    likeness = None
    if step % rules[0].spec.probe == 0:
        with dense(rules):
            expected = torch.autograd.grad(loss, weights, retain_graph=True)
    loss.backward()  # type: ignore[no-untyped-call]
    if step % rules[0].spec.probe == 0:
        found = [weight.grad for weight in weights if weight.grad is not None]
        likeness = correlation(found, expected)
        for rule in rules:
            rule.steer(likeness)
    return StepRecord(
        step=step,
        loss=loss.item(),
        thresholds=np.array([rule.threshold for rule in rules]),
        sparsity=np.array([rule.sparsity for rule in rules]),
        correlation=likeness,
    )
