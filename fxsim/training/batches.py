"""Samples as tensors, cut into batches."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from fxsim.data import Split
from fxsim.errors import RangeError
from fxsim.spec.specification import TrainSpec

Batch = tuple[torch.Tensor, torch.Tensor]
"""Samples and labels."""


def tensors(split: Split, device: str | torch.device) -> Batch:
    """A whole split in the memory of the device."""
    x = torch.from_numpy(split.x.astype(np.float32))
    return x.to(device), torch.from_numpy(split.y.copy()).to(device)


def batches(data: Batch, recipe: TrainSpec) -> tuple[Iterator[Batch], int]:
    """Batches of an epoch, and their number."""
    x, y = data
    if y.ndim == 2:
        return chunks(x, y, recipe), -(-(y.numel() // recipe.batch) // recipe.steps)
    return shuffled(x, y, recipe), -(-len(x) // recipe.batch)


def shuffled(x: torch.Tensor, y: torch.Tensor, recipe: TrainSpec) -> Iterator[Batch]:
    """Batches of samples in a new order."""
    order = torch.randperm(len(x)).to(x.device)
    for start in range(0, len(x), recipe.batch):
        batch = order[start : start + recipe.batch]
        yield x[batch], y[batch]


def chunks(x: torch.Tensor, y: torch.Tensor, recipe: TrainSpec) -> Iterator[Batch]:
    """All sequences end to end as ``batch`` streams side by side, ``steps`` vectors at a time."""
    length = y.numel() // recipe.batch
    if not length:
        raise RangeError(f"batch must be at most {y.numel()}, the steps of all sequences")
    streams = recipe.batch * length
    x = x.flatten(0, 1)[:streams].reshape(recipe.batch, length, *x.shape[2:])
    y = y.flatten()[:streams].reshape(recipe.batch, length)
    for start in range(0, length, recipe.steps):
        yield x[:, start : start + recipe.steps], y[:, start : start + recipe.steps]
