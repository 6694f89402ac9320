"""What every data set looks like."""

from __future__ import annotations

from dataclasses import dataclass
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
    y : int64 array, shape (n,) or (n, t)
        Class numbers from 0; for sequences one a step.
    """

    x: npt.NDArray[np.floating[Any]]
    y: IntArray


@dataclass(frozen=True, eq=False)
class Dataset:
    """Splits without common samples, and the number of classes.

    Training sequences stand in their order: the end of one is the start of the next.
    """

    name: str
    train: Split
    test: Split
    classes: int
    validation: Split | None = None
