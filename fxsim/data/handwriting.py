"""Grey digits of 28 x 28 pixels in the manner of MNIST, drawn from strokes (`fxsim.data.strokes`).

Every machine draws the same ones, without a download.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from fxsim.data.dataset import Dataset, drawn_dataset
from fxsim.data.strokes import Hand, balanced, draw_digits
from fxsim.network import IntArray

SIZES = {"train": 20_000, "validation": 4_000, "test": 6_000}

_HAND = Hand(
    wobble=0.1,
    turn=0.25,
    slant=0.35,
    size=(0.55, 0.78),
    aspect=(0.55, 1.0),
    shift=0.06,
    pen=(0.6, 1.6),
    edge=(0.9, 1.6),
)


def draw_images(count: int, seed: int) -> tuple[npt.NDArray[np.uint8], IntArray]:
    """Draw ``count`` images, uint8 (count, 1, 28, 28) with 255 for ink, and their digits."""
    rng = np.random.Generator(np.random.PCG64(seed))
    y = balanced(rng, count)
    ink = draw_digits(rng, y, 28, _HAND)
    return np.rint(255 * ink).astype(np.uint8)[:, None], y


@cache
def load() -> Dataset:
    """Load the images: x of shape (n, 1, 28, 28), 0.0 for paper and 1.0 for ink."""
    return drawn_dataset("handwriting", draw_images, SIZES, 2800)
