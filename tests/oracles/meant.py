"""What each kind of layer is meant to compute: exact numbers, straight from the mathematics.

Nothing here knows an accumulator, a multiplier, a shift, an offset or a table; nothing is imported
from fxsim but the names of the modes. Images are (channels, height, width), weights of a
convolution (output channels, channels of a group, height, width), as in any textbook.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from fxsim.arithmetic.formats import IntFormat, Overflow, Rounding

HALF = Fraction(1, 2)


def fractions(values: object) -> np.ndarray:
    """The exact values of integers or floats, as an array of fractions."""
    array = np.asarray(values)
    return np.array([Fraction(v) for v in array.ravel().tolist()], object).reshape(array.shape)


def rounded(value: Fraction, rounding: Rounding) -> int:
    """The nearest integer, or the next one in some direction, by the words of the mode."""
    below = math.floor(value)
    rest = value - below
    if rounding is Rounding.FLOOR:
        return below
    if rounding is Rounding.TO_ZERO:
        return below + (value < 0 and rest > 0)
    if rest != HALF:
        return below + (rest > HALF)
    return {
        Rounding.TIES_AWAY: below + (value > 0),
        Rounding.TIES_POS: below + 1,
        Rounding.TIES_EVEN: below + below % 2,
    }[rounding]


def clamped(value: int, fmt: IntFormat) -> int:
    """The nearest integer of a format."""
    return min(max(value, fmt.min), fmt.max)


@dataclass(frozen=True, kw_only=True)
class Output:
    """How a real number leaves a layer: steps of ``scale``, a mode of rounding, a format."""

    fmt: IntFormat
    scale: Fraction
    zero_point: int
    rounding: Rounding
    overflow: Overflow
    relu: bool = False
    most: Fraction | None = None

    def check(self, integer: int, real: Fraction, error: Fraction) -> None:
        """Hold an integer to a real number; ``error``, in steps, is what it may be off before.

        Rounding is monotone, so the integer must lie between those of the two ends. With an error
        below the distance to the next tie that leaves a single one.
        """
        if self.relu:
            real = max(real, Fraction(0))
        if self.most is not None:
            real = min(real, self.most)
        steps = real / self.scale
        low, high = (
            rounded(end, self.rounding) + self.zero_point for end in (steps - error, steps + error)
        )
        if self.relu:  # what an error takes below 0 is 0
            low, high = max(low, self.zero_point), max(high, self.zero_point)
        if self.most is not None:  # and above the greatest value that
            top = rounded(self.most / self.scale, self.rounding) + self.zero_point
            low, high = min(low, top), min(high, top)
        if self.overflow is Overflow.WRAP:
            assert (integer - low) % (1 << self.fmt.bits) <= high - low
            return
        low, high = clamped(low, self.fmt), clamped(high, self.fmt)
        assert low <= integer <= high, (low, integer, high, float(steps), float(error))


Pair = tuple[int, int]
"""Down and across."""

Sides = tuple[int, int, int, int]
"""Top, left, bottom and right."""


def linear(weight: np.ndarray, bias: np.ndarray, x: np.ndarray) -> np.ndarray:
    """W x + b."""
    return weight @ x + bias


def patches(
    image: np.ndarray, kernel: Pair, stride: Pair, padding: Sides, outside: object
) -> list[list[np.ndarray]]:
    """Parts of a (channels, height, width) image under a window, by row and column."""
    top, left, bottom, right = padding
    framed = np.pad(image, ((0, 0), (top, bottom), (left, right)), constant_values=outside)
    (height, width), (down, across) = kernel, stride
    return [
        [framed[:, y : y + height, x : x + width] for x in range(0, last_x + 1, across)]
        for last_x in [framed.shape[2] - width]
        for y in range(0, framed.shape[1] - height + 1, down)
    ]


def convolution(
    weight: np.ndarray,
    bias: np.ndarray,
    image: np.ndarray,
    *,
    stride: Pair,
    padding: Sides,
    groups: int,
) -> np.ndarray:
    """Sums over windows of the channels of a group; pixels outside the image are 0."""
    outputs, depth = weight.shape[:2]
    seen = patches(image, weight.shape[2:], stride, padding, 0)
    result = np.empty((outputs, len(seen), len(seen[0])), object)
    for channel in range(outputs):
        first = channel // (outputs // groups) * depth
        for y, row in enumerate(seen):
            for x, patch in enumerate(row):
                products = weight[channel] * patch[first : first + depth]
                result[channel, y, x] = products.sum() + bias[channel]
    return result


def max_pool(image: np.ndarray, kernel: Pair, stride: Pair, padding: Sides) -> np.ndarray:
    """Greatest value of each channel under a window; pixels outside the image do not count."""
    seen = patches(image, kernel, stride, padding, -math.inf)
    found = [[patch.reshape(len(patch), -1).max(axis=1) for patch in row] for row in seen]
    return np.moveaxis(np.array(found, object), -1, 0)


def average_pool(image: np.ndarray, kernel: Pair, stride: Pair) -> np.ndarray:
    """Mean of each channel under a window."""
    count = math.prod(kernel)
    found = [
        [patch.reshape(len(patch), -1).sum(axis=1) / Fraction(count) for patch in row]
        for row in patches(image, kernel, stride, (0, 0, 0, 0), Fraction(0))
    ]
    return np.moveaxis(np.array(found, object), -1, 0)


def resize(image: np.ndarray, vertical: int, horizontal: int) -> np.ndarray:
    """Nearest neighbour: each pixel as a block of equal ones."""
    channels, height, width = image.shape
    result = np.empty((channels, height * vertical, width * horizontal), object)
    for y, x in np.ndindex(result.shape[1:]):
        result[:, y, x] = image[:, y // vertical, x // horizontal]
    return result


def argmax(values: Sequence[Fraction]) -> int:
    """Place of the first of the greatest values."""
    return next(k for k, value in enumerate(values) if value == max(values))


@dataclass(frozen=True)
class Step:
    """One step of an LSTM layer in real numbers."""

    preactivations: list[float]
    cell: list[float]
    hidden: list[float]


def lstm_step(
    preactivations: Sequence[float], cell: Sequence[float], limit: float, cell_limit: float
) -> Step:
    """C = sigmoid(f) c + sigmoid(i) tanh(g), m = sigmoid(o) tanh(c): blocks i, f, o, g.

    Pre-activations are held within ``limit`` and cells within ``cell_limit``, as the formats do.
    """

    def held(value: float, limit: float) -> float:
        return min(max(value, -limit), limit)

    def sigmoid(value: float) -> float:
        return 0.5 + math.tanh(value / 2) / 2

    z = [held(value, limit) for value in preactivations]
    n = len(cell)
    i, f, o = ([sigmoid(value) for value in z[k * n : (k + 1) * n]] for k in range(3))
    g = [math.tanh(value) for value in z[3 * n :]]
    new = [held(f[k] * cell[k] + i[k] * g[k], cell_limit) for k in range(n)]
    return Step(z, new, [o[k] * math.tanh(held(new[k], limit)) for k in range(n)])
