"""What every data set looks like."""

from __future__ import annotations

from dataclasses import dataclass

from fxsim.network import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Split:
    """Samples and their labels.

    Parameters
    ----------
    x : float64 array, shape (n, *input shape)
    y : int64 array, shape (n,)
        Class numbers from 0.
    """

    x: FloatArray
    y: IntArray


@dataclass(frozen=True, eq=False)
class Dataset:
    """A training and a test split without common samples, and the number of classes."""

    name: str
    train: Split
    test: Split
    classes: int
