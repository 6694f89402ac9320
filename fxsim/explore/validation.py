"""Samples that word lengths are chosen on: never those of the test split."""

from __future__ import annotations

import numpy as np

from fxsim.data import Dataset, Split

EVERY = 4
"""One training sample in so many validates, where a data set has no validation split."""

MOST = 360
"""Samples at most that are held back so; more tell little more about a choice."""


def validation_split(dataset: Dataset) -> Split:
    """Validation split of a data set, or else evenly spaced training samples.

    The network has been trained on the latter, so their error says which word lengths keep what the
    float network knows, and nothing about new samples.
    """
    if dataset.validation is not None:
        return dataset.validation
    count = len(dataset.train.y)
    wanted = max(min(-(-count // EVERY), MOST), 1)
    chosen = np.arange(wanted) * count // wanted
    return Split(dataset.train.x[chosen], dataset.train.y[chosen])
