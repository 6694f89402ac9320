"""Gradients for the zero-skipping blocks: hard patterns of zeros, and life-like ones."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np

from fxsim.arithmetic.formats import IntFormat
from fxsim.arithmetic.tensors import IntArray


def masks(items: int, lanes: int, seed: int) -> Iterator[list[bool]]:
    """Patterns of non-zeros that are hard on queues, then random ones of many densities."""
    generator = random.Random(seed)
    yield from ([False] * items, [True] * items, [False] * items, [False] * items)
    yield from ([k == place for k in range(items)] for place in {0, items // 2, items - 1})
    for lane in {0, lanes - 1}:
        yield [k % lanes == lane for k in range(items)]
    yield [k // lanes % 2 == 0 for k in range(items)]
    yield [k // (2 * lanes) % 2 == 1 for k in range(items)]
    yield [k < items // 3 for k in range(items)]
    yield [k >= items - items // 3 for k in range(items)]
    for density in (0.02, 0.1, 0.2, 0.5, 0.95):
        for _ in range(2):
            yield [generator.random() < density for _ in range(items)]


def fill(patterns: Iterator[list[bool]], fmt: IntFormat, seed: int) -> IntArray:
    """Vectors with the given places of non-zeros: limits of the format, and random values."""
    generator = random.Random(seed)
    values = [value for value in range(fmt.min, fmt.max + 1) if value]

    def draw() -> int:
        corner = generator.random() < 0.3
        return generator.choice([values[0], values[-1]] if corner else values)

    return np.array([[draw() if kept else 0 for kept in mask] for mask in patterns])


def thresholded(gradients: IntArray, fmt: IntFormat, step: int) -> IntArray:
    """Gradients with those within the threshold of their vector set to 0, see `Stepped`."""
    limits = np.arange(len(gradients)) * step % (1 << fmt.bits)
    return np.where(np.abs(gradients) <= limits[:, None], 0, gradients)


def every_mask(items: int, fmt: IntFormat) -> IntArray:
    """A vector for each of the 2**items masks of non-zeros."""
    patterns = ([bool(mask >> k & 1) for k in range(items)] for mask in range(1 << items))
    return fill(patterns, fmt, items)


def gate_gradients(density: float, *, vectors: int, items: int, seed: int) -> IntArray:
    """Synthetic gate gradients with the published distribution of zeros; values fit 8 bits.

    At a density of 0.2 the density of single vectors has percentiles 0.00 (5th) and about 0.36
    (95th), and groups of four zero neighbours hold about 60 % of all zeros. At a density of 1
    nothing is 0.
    """
    generator = np.random.default_rng(seed)
    factor = np.where(
        generator.random(vectors) < 0.07, 0, generator.normal(1.08, 0.42, vectors).clip(0.02)
    )
    each = np.minimum(density * factor, 1) if density < 1 else np.ones(vectors)
    idle = 0.375 * (1 - each)  # share of the groups of four that are zero at once
    groups = generator.random((vectors, -(-items // 4))) >= idle[:, None]
    kept = np.repeat(groups, 4, axis=1)[:, :items]
    kept &= generator.random((vectors, items)) < (each / (1 - idle))[:, None]
    values = generator.integers(1, 128, kept.shape) * generator.choice([-1, 1], kept.shape)
    return np.where(kept, values, 0)
