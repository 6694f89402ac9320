"""Coloured digits of 32 x 32 pixels in the manner of SVHN, drawn from strokes.

Walls and digits have colours and a change of light across them; next to the digit in the middle
stand parts of its neighbours; lines run across the wall; contrast, sharpness and noise vary. Every
machine draws the same ones, without a download.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from fxsim.data.dataset import Dataset, drawn_dataset
from fxsim.data.pen import draw
from fxsim.data.strokes import Hand, balanced, between, draw_digits
from fxsim.network import FloatArray, IntArray

SIZES = {"train": 12_000, "validation": 3_000, "test": 5_000}

_SIZE = 32
_HAND = Hand(
    wobble=0.06,
    turn=0.18,
    slant=0.25,
    size=(0.55, 0.85),
    aspect=(0.45, 0.75),
    shift=0.06,
    pen=(1.0, 2.3),
    edge=(0.8, 2.8),
)
_CONTRAST = (0.15, 0.6)
_NOISE = (0.01, 0.07)


def draw_images(count: int, seed: int) -> tuple[npt.NDArray[np.uint8], IntArray]:
    """Draw ``count`` images, uint8 (count, 3, 32, 32), and the digits in their middle."""
    rng = np.random.Generator(np.random.PCG64(seed))
    y = balanced(rng, count)
    images = np.empty((count, 3, _SIZE, _SIZE), np.uint8)
    for start in range(0, count, 2000):  # the float images of all would take too much memory
        images[start : start + 2000] = _draw(rng, y[start : start + 2000])
    return images, y


def _draw(rng: np.random.Generator, digits: IntArray) -> npt.NDArray[np.uint8]:
    n = len(digits)
    wall, paint = (colour.astype(np.float32) for colour in _colours(rng, n))
    light = _light(rng, n)
    clutter = np.zeros((n, _SIZE, _SIZE), np.float32)
    ends = _SIZE * (1.4 * rng.random((n, 2, 2)) - 0.2)
    draw(
        ends, np.array([False, True]), between(rng, (0.3, 2.0), n), between(rng, (1, 3), n), clutter
    )
    ink = draw_digits(rng, digits, _SIZE, _HAND)
    for side in (-1, 1):
        centre = np.full((n, 2), 0.5)
        centre[:, 0] += side * between(rng, (0.46, 0.8), n)
        others = (rng.random(n) * 10).astype(np.int64)
        beside = draw_digits(rng, others, _SIZE, _HAND, centre)
        there = (rng.random(n) < 0.7)[:, None, None]
        ink = np.maximum(ink, np.where(there, beside, np.float32(0)))
    streak = between(rng, (-0.7, 0.7), n).astype(np.float32)[:, None] * (paint - wall)
    noise = between(rng, _NOISE, n).astype(np.float32)[:, None, None, None]
    image = noise * rng.standard_normal((n, 3, _SIZE, _SIZE), dtype=np.float32)
    image += light[:, None]
    clutter *= 1 - ink
    for share, colour in ((1 - ink - clutter, wall), (clutter, wall + streak), (ink, paint)):
        image += share[:, None] * colour[..., None, None]
    np.clip(image, 0, 1, out=image)
    drawn: npt.NDArray[np.uint8] = np.rint(255 * image).astype(np.uint8)
    return drawn


def _colours(rng: np.random.Generator, n: int) -> tuple[FloatArray, FloatArray]:
    """Colours (n, 3) of walls and paint, apart in brightness by the contrast."""
    contrast = between(rng, _CONTRAST, n)[:, None] * np.sign(rng.random((n, 1)) - 0.5)
    middle = between(rng, (0.35, 0.65), n)[:, None]
    tints = 0.12 * (2 * rng.random((2, n, 3)) - 1)
    return middle - contrast / 2 + tints[0], middle + contrast / 2 + tints[1]


def _light(rng: np.random.Generator, n: int) -> FloatArray:
    """Brightness (n, 32, 32) that changes evenly across the image."""
    across, down = (0.25 * (2 * rng.random((2, n, 1, 1)) - 1)).astype(np.float32)
    line = np.linspace(-0.5, 0.5, _SIZE, dtype=np.float32)
    light: FloatArray = across * line + down * line[:, None]
    return light


@cache
def load() -> Dataset:
    """Load the images: x of shape (n, 3, 32, 32), red, green, blue, 0.0 to 1.0."""
    return drawn_dataset("house-numbers", draw_images, SIZES, 3200)
