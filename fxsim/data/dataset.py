"""Splits and samples that every data set has."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fxsim.network import IntArray


@dataclass(frozen=True, eq=False)
class Split:
    """Samples and their labels.

    Parameters
    ----------
    x : float array, shape (n, *input shape), or (n, t, *input shape) for n sequences of t steps
        Images are (channels, height, width), from 0.0 to 1.0; frames of sound are flat. Single
        precision and read-only where there are many; rows may overlap in memory.
    y : int64 array, shape (n,) or (n, t)
        Class numbers from 0; for sequences one a step.
    """

    x: npt.NDArray[np.floating[Any]]
    y: IntArray

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample, or of one step of a sequence."""
        return self.x.shape[self.y.ndim :]

    def shaped(self, shape: tuple[int, ...]) -> Split:
        """Samples in another shape of as many values; itself where it has not as many.

        So an image serves a network that takes it flat, channel by channel and row by row, and one
        that does not fit at all reaches the check that says so.
        """
        if self.shape == shape or math.prod(self.shape) != math.prod(shape):
            return self
        return replace(self, x=self.x.reshape(*self.x.shape[: self.y.ndim], *shape))


@dataclass(frozen=True, eq=False)
class Dataset:
    """Splits without common samples, and the number of classes.

    Training sequences stand in their order: the end of one is the start of the next.

    Parameters
    ----------
    name : str
    train, test : Split
    classes : int
    validation : Split, optional
        For every choice made between training and the last figure: word lengths, early stopping.
    validation_in_train : bool
        True if the validation samples are among the training samples, where there are too few to
        hold back. They then compare networks, but tell nothing of new samples.
    fold : int64 array, shape (classes,), optional
        Class that each one counts as when it is scored.
    """

    name: str
    train: Split
    test: Split
    classes: int
    validation: Split | None = None
    validation_in_train: bool = False
    fold: IntArray | None = None

    @property
    def splits(self) -> dict[str, Split]:
        """Splits by name."""
        splits = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: split for name, split in splits.items() if split is not None}

    def shaped(self, shape: tuple[int, ...]) -> Dataset:
        """Data set whose splits are `Split.shaped`."""
        splits = {name: split.shaped(shape) for name, split in self.splits.items()}
        return replace(self, **splits)  # type: ignore[arg-type]

    def accuracy(self, predicted: IntArray, y: IntArray) -> float:
        """Share of class numbers ``predicted`` that count as ``y``, both folded."""
        if self.fold is not None:
            predicted, y = self.fold[predicted], self.fold[y]
        return float(np.mean(predicted == y))


def pixels(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Images from 0.0 to 1.0, read-only."""
    x = images.astype(np.float32)
    x /= 255
    x.flags.writeable = False
    return x


def drawn_dataset(
    name: str,
    draw: Callable[[int, int], tuple[npt.NDArray[np.uint8], IntArray]],
    sizes: dict[str, int],
    seed: int,
) -> Dataset:
    """Digits that ``draw`` makes of a count and a seed: ``seed`` and the next two, split by split.

    ``sizes`` are those of the splits train, validation and test.
    """
    splits = {}
    for k, (split, count) in enumerate(sizes.items()):
        images, y = draw(count, seed + k)
        splits[split] = Split(pixels(images), y)
    return Dataset(name, splits["train"], splits["test"], 10, validation=splits["validation"])
