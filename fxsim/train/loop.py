"""Float training, then retraining with quantized weights; seeded and repeatable."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

from fxsim.checkpoint import Checkpoint, LinearParameters, RetrainedParameters
from fxsim.data import Dataset
from fxsim.errors import RangeError, SpecError
from fxsim.spec import NetworkSpec, OptimizerSpec, RetrainSpec, TrainSpec
from fxsim.train.module import Network, Product

Batch = tuple[torch.Tensor, torch.Tensor]
"""Samples and labels."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """One finished epoch.

    Parameters
    ----------
    stage : str
        ``float`` or ``retrain``.
    epoch, epochs : int
        Epochs done and in all, in this stage.
    loss, accuracy : float
        Mean cross entropy and share of hits over the training samples (or the steps of sequences)
        of the epoch, with dropout.
    """

    stage: str
    epoch: int
    epochs: int
    loss: float
    accuracy: float


def train(
    spec: NetworkSpec, dataset: Dataset, on_epoch: Callable[[Progress], None] | None = None
) -> Checkpoint:
    """Train the float network, then retrain it with quantized weights if the file asks for it.

    In retraining, forward and backward passes use quantized weights, and the float weights behind
    them take the updates. The step size is L2-optimal: of the float parent (``fixed``), or
    refreshed at the start of each epoch of the first half (``adaptive``, Shin et al. 2017), and
    never after the last update. Biases and activations stay float. Only the training split is used.

    Two runs on one machine give the same arrays. They do not touch the state of torch outside.

    Parameters
    ----------
    spec : NetworkSpec
    dataset : Dataset
    on_epoch : callable, optional
        Called with each `Progress`.

    Raises
    ------
    SpecError
        If input shape or units do not fit the data.
    RangeError
        If the loss stops being finite.
    """
    leading = dataset.train.y.ndim
    if spec.recurrent != (leading == 2):
        raise SpecError(
            f"{dataset.name} has {'sequences' if leading == 2 else 'no sequences'}, so layers must"
            f" have {'an' if leading == 2 else 'no'} lstm"
        )
    if dataset.train.x.shape[leading:] != spec.input.shape:
        raise SpecError(
            f"input.shape must be {list(dataset.train.x.shape[leading:])} for {dataset.name},"
            f" not {list(spec.input.shape)}"
        )
    last = len(spec.layers) - 1
    if (outputs := spec.layer_inputs(last + 1)) != dataset.classes:
        raise SpecError(
            f"layers[{last}].units must be {dataset.classes}, the classes of {dataset.name},"
            f" not {outputs}"
        )
    report = on_epoch or (lambda progress: None)
    names = [product.name for product in spec.products]
    x = torch.from_numpy(dataset.train.x.astype(np.float32))
    data = (x, torch.from_numpy(dataset.train.y.copy()))
    with _repeatable(spec.train.seed):
        network = Network(spec, float(x.square().sum()) / data[1].numel())
        _run(network, data, spec.train, spec.train, report)
        parent = dict(zip(names, map(_parameters, network.linears()), strict=True))
        if spec.retrain is None:
            return Checkpoint(parent=parent)
        network.refresh_scales()
        _run(network, data, spec.retrain, spec.train, report)
        retrained = dict(zip(names, map(_retrained, network.linears()), strict=True))
    return Checkpoint(parent=parent, retrained=retrained)


def _run(
    network: Network,
    data: Batch,
    recipe: TrainSpec | RetrainSpec,
    common: TrainSpec,
    report: Callable[[Progress], None],
) -> None:
    """One stage; ``common`` says how to cut the data into batches, and the limit of gradients."""
    optimizer = _optimizer(network, recipe.optimizer)
    batches, count = _shuffled, -(-len(data[0]) // common.batch)
    if data[1].ndim == 2:
        batches, count = _chunks, -(-(data[1].numel() // common.batch) // common.steps)
    steps = recipe.epochs * count
    decay = torch.optim.lr_scheduler.ExponentialLR(
        optimizer, recipe.final_lr ** (1 / max(steps - 1, 1))
    )
    stage, refreshes = "float", 0
    if isinstance(recipe, RetrainSpec):
        stage = "retrain"
        refreshes = recipe.epochs // 2 if recipe.scheme == "adaptive" else 0
    for epoch in range(recipe.epochs):
        if epoch < refreshes:
            network.refresh_scales()
        total, hits, seen = 0.0, 0, 0
        network.reset_state()
        for x, y in batches(*data, common):
            logits = network(x).flatten(0, -2)
            labels = y.flatten()
            loss = torch.nn.functional.cross_entropy(logits, labels)
            if not torch.isfinite(loss):
                raise RangeError(f"loss must stay finite, not {loss:g} in epoch {epoch + 1}")
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            if common.clip is not None:
                torch.nn.utils.clip_grad_norm_(network.parameters(), common.clip)
            optimizer.step()
            decay.step()
            total += loss.item() * len(labels)
            hits += int((logits.argmax(dim=1) == labels).sum())
            seen += len(labels)
        report(
            Progress(
                stage=stage,
                epoch=epoch + 1,
                epochs=recipe.epochs,
                loss=total / seen,
                accuracy=hits / seen,
            )
        )


def _shuffled(x: torch.Tensor, y: torch.Tensor, recipe: TrainSpec) -> Iterator[Batch]:
    """Batches of samples in a new order."""
    order = torch.randperm(len(x))
    for start in range(0, len(x), recipe.batch):
        batch = order[start : start + recipe.batch]
        yield x[batch], y[batch]


def _chunks(x: torch.Tensor, y: torch.Tensor, recipe: TrainSpec) -> Iterator[Batch]:
    """All sequences end to end as ``batch`` streams side by side, ``steps`` vectors at a time."""
    length = y.numel() // recipe.batch
    if not length:
        raise RangeError(f"batch must be at most {y.numel()}, the steps of all sequences")
    streams = recipe.batch * length
    x = x.flatten(0, 1)[:streams].reshape(recipe.batch, length, -1)
    y = y.flatten()[:streams].reshape(recipe.batch, length)
    for start in range(0, length, recipe.steps):
        yield x[:, start : start + recipe.steps], y[:, start : start + recipe.steps]


def _optimizer(network: Network, spec: OptimizerSpec) -> torch.optim.Optimizer:
    if spec.type == "adam":
        return torch.optim.Adam(network.parameters(), lr=spec.lr, weight_decay=spec.weight_decay)
    return torch.optim.SGD(
        network.parameters(),
        lr=spec.lr,
        momentum=spec.momentum,
        nesterov=spec.nesterov and spec.momentum > 0,
        weight_decay=spec.weight_decay,
    )


def _parameters(linear: Product) -> LinearParameters:
    return LinearParameters(
        weight=linear.weight.detach().numpy().astype(np.float64),
        **linear.folded(),
    )


def _retrained(linear: Product) -> RetrainedParameters:
    assert linear.scale is not None
    parameters = _parameters(linear)
    return RetrainedParameters(
        weight=parameters.weight,
        bias=parameters.bias,
        gain=parameters.gain,
        scale=linear.scale,
        levels=linear.spec.weights.levels,
    )


@contextmanager
def _repeatable(seed: int) -> Iterator[None]:
    """Seed torch and fix its order of summation, then leave it as it was."""
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
