"""Handwritten digits of 8 x 8 pixels that come with scikit-learn (UCI, Alpaydin and Kaynak 1998).

1797 samples by 13 writers, 17 grey levels. Shuffled once, then sorted by class; every fifth is for
testing: 360 samples, equally many of each class to within one. They are too few to hold back a
third part: the validation split is a quarter of the training samples, every one of them trained on.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from fxsim.data.dataset import Dataset, Split

_SEED = 1797


@cache
def load() -> Dataset:
    """Load the digits: x of shape (n, 64), row by row from 0.0 (white) to 1.0."""
    from sklearn.datasets import load_digits  # takes a second, so not at import time

    pixels, labels = load_digits(return_X_y=True)
    order = np.random.Generator(np.random.PCG64(_SEED)).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    test = np.zeros(len(labels), dtype=bool)
    test[order[::5]] = True
    x, y = pixels.astype(np.float64) / 16.0, labels.astype(np.int64)
    splits = {"train": ~test, "test": test, "validation": np.sort(order[1::5])}
    made = {name: Split(x[chosen], y[chosen]) for name, chosen in splits.items()}
    for split in made.values():
        split.x.flags.writeable = False
    validation = made["validation"]
    return Dataset(
        "digits", made["train"], made["test"], 10, validation=validation, validation_in_train=True
    )
