"""Digits as pen strokes: smooth curves through a few points, of several hands, without a font."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from fxsim.data.pen import draw
from fxsim.network import FloatArray, IntArray

_STEPS = 6
"""Lines from one point of a stroke to the next."""

# Points (x, y) in percent of the box of a digit, y downwards. Strokes of a digit are parted by
# slashes; a curve runs smoothly through the points of a stroke, so corners start a new one.
_SHAPES = (
    (  # 0
        "55 0, 20 15, 8 50, 22 87, 50 100, 80 85, 92 50, 78 13, 50 0",
        "65 3, 30 12, 15 50, 28 90, 52 99, 75 80, 84 45, 72 10, 45 2",
        "40 5, 12 30, 15 75, 50 100, 85 75, 88 30, 62 3, 38 8, 28 25",
    ),
    (  # 1
        "52 0, 50 50, 48 100",
        "25 22, 40 14, 55 0 / 55 0, 54 50, 53 100",
        "25 22, 42 12, 55 0 / 55 0, 54 50, 53 97 / 25 100, 53 97, 80 98",
    ),
    (  # 2
        "12 25, 25 5, 55 0, 82 14, 80 38, 50 68, 10 98 / 10 98, 50 97, 92 98",
        "15 18, 45 0, 80 16, 72 45, 30 85, 12 90, 20 76, 45 86, 92 97",
        "15 10, 50 2, 85 12, 84 40, 52 60, 15 70, 8 98 / 8 98, 50 98, 92 98",
    ),
    (  # 3
        "15 12, 45 0, 80 12, 76 36, 42 47 / 42 47, 80 55, 88 78, 55 100, 10 88",
        "12 3, 50 2, 85 3 / 85 3, 62 24, 44 42 / 44 42, 80 52, 88 76, 55 100, 12 90",
        "18 8, 55 0, 78 20, 45 45, 35 48, 48 48, 82 65, 72 92, 38 100, 10 88",
    ),
    (  # 4
        "30 0, 22 28, 10 58 / 10 58, 50 60, 92 58 / 72 5, 70 50, 68 100",
        "68 0, 40 34, 8 66 / 8 66, 50 66, 94 65 / 68 0, 68 50, 68 100",
        "20 4, 20 35, 38 52, 72 44 / 78 0, 76 50, 70 100",
    ),
    (  # 5
        "82 2, 50 2, 24 3 / 24 3, 20 24, 17 44 / 17 44, 52 36, 86 56, 78 88, 44 100, 10 90",
        "90 3, 60 2, 35 8, 20 28, 28 42, 60 46, 82 64, 72 92, 40 100, 12 90",
        "26 8, 22 26, 20 44 / 20 44, 55 38, 84 58, 74 90, 42 100, 12 90 / 26 6, 55 6, 90 2",
    ),
    (  # 6
        "75 2, 42 18, 16 52, 16 84, 46 100, 80 86, 80 60, 50 50, 20 66",
        "60 0, 30 30, 15 68, 32 96, 62 98, 82 78, 66 56, 36 60, 20 80",
        "86 10, 55 2, 24 24, 12 62, 30 96, 66 98, 86 72, 62 50, 30 56, 15 72",
    ),
    (  # 7
        "10 5, 50 4, 90 3 / 90 3, 60 45, 38 100",
        "12 5, 50 4, 88 3 / 88 3, 62 42, 44 100 / 28 52, 52 50, 78 48",
        "12 22, 14 5, 16 4 / 16 4, 50 6, 90 3 / 90 3, 66 34, 52 66, 50 100",
    ),
    (  # 8
        "72 10, 45 0, 22 16, 34 38, 70 58, 82 82, 52 100, 20 84, 32 58, 66 38, 80 18, 62 4",
        "50 0, 24 10, 26 36, 50 46, 76 36, 76 10, 50 0 / 50 46, 18 60, 20 90, 50 100, 82 88, 50 46",
        "82 12, 50 0, 20 20, 50 46, 82 74, 54 100, 18 80, 40 52, 80 14",
    ),
    (  # 9
        "80 22, 54 0, 20 12, 18 40, 48 52, 80 24 / 80 24, 78 60, 70 100",
        "84 20, 50 0, 16 22, 36 50, 70 42, 84 16, 84 56, 66 90, 28 100",
        "72 10, 40 2, 16 24, 34 46, 66 40, 76 12 / 76 12, 72 50, 52 98",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Hand:
    """How far drawn digits stray from their model, all of them uniformly distributed.

    Parameters
    ----------
    wobble : float
        Shift of each point, in parts of the box of the digit.
    turn, slant : float
        In radians, and x against y.
    size : tuple of float
        Least and greatest height in parts of the image.
    aspect : tuple of float
        Least and greatest width in parts of the height.
    shift : float
        In parts of the image.
    pen, edge : tuple of float
        Least and greatest half width of the pen and fading of its edge, in pixels.
    """

    wobble: float
    turn: float
    slant: float
    size: tuple[float, float]
    aspect: tuple[float, float]
    shift: float
    pen: tuple[float, float]
    edge: tuple[float, float]


def balanced(rng: np.random.Generator, count: int) -> IntArray:
    """Digits in random order, each as often as the others to within one."""
    return np.argsort(rng.random(count), kind="stable") % 10


def between(rng: np.random.Generator, limits: tuple[float, float], count: int) -> FloatArray:
    """Uniform numbers between two limits."""
    return limits[0] + (limits[1] - limits[0]) * rng.random(count)


def draw_digits(
    rng: np.random.Generator,
    digits: IntArray,
    size: int,
    hand: Hand,
    centre: FloatArray | None = None,
) -> npt.NDArray[np.float32]:
    """Draw one image for each digit.

    Parameters
    ----------
    rng : numpy.random.Generator
    digits : int64 array, shape (n,)
    size : int
        Height and width of the images in pixels.
    hand : Hand
    centre : float64 array, shape (n, 2), optional
        Where the digits stand before their shift, in parts of the image; the middle by default.

    Returns
    -------
    float32 array, shape (n, size, size)
        Ink, 0 to 1.
    """
    ink = np.zeros((len(digits), size, size), np.float32)
    style = (rng.random(len(digits)) * len(_SHAPES[0])).astype(np.int64)
    for digit, shapes in enumerate(_SHAPES):
        for i in range(len(shapes)):
            chosen = np.flatnonzero((digits == digit) & (style == i))
            if not len(chosen):
                continue
            curve, pen, origin = _model(digit, i)
            strayed = origin + hand.wobble * (2 * rng.random((len(chosen), *origin.shape)) - 1)
            middle = 0.5 if centre is None else centre[chosen][:, None, :]
            points = size * (middle + _place(rng, curve @ strayed - 0.5, hand)) - 0.5
            part = ink[chosen]
            pens = between(rng, hand.pen, len(chosen)), between(rng, hand.edge, len(chosen))
            draw(points, pen, *pens, part)
            ink[chosen] = part
    return ink


def _place(rng: np.random.Generator, points: FloatArray, hand: Hand) -> FloatArray:
    """Slant, stretch, turn and shift ``points`` (n, p, 2), which are centred on 0."""
    n = len(points)
    slant, angle = between(rng, (-hand.slant, hand.slant), n), (2 * rng.random(n) - 1) * hand.turn
    height = between(rng, hand.size, n)
    width = height * between(rng, hand.aspect, n)
    x = width[:, None] * (points[..., 0] - slant[:, None] * points[..., 1])
    y = height[:, None] * points[..., 1]
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    shift = hand.shift * (2 * rng.random((n, 1, 2)) - 1)
    turned: FloatArray = np.stack([cos * x - sin * y, sin * x + cos * y], axis=-1) + shift
    return turned


@cache
def _model(digit: int, style: int) -> tuple[FloatArray, npt.NDArray[np.bool_], FloatArray]:
    """Matrix from points to the vertices of the curve, where the pen is down, and the points."""
    strokes = [
        [[float(number) / 100 for number in point.split()] for point in stroke.split(",")]
        for stroke in _SHAPES[digit][style].split("/")
    ]
    total = sum(map(len, strokes))
    rows, pen, start = [], [], 0
    for stroke in strokes:
        part = np.zeros(((len(stroke) - 1) * _STEPS + 1, total))
        part[:, start : start + len(stroke)] = _curve(len(stroke))
        rows.append(part)
        pen += [False] + [True] * (len(part) - 1)
        start += len(stroke)
    return (
        np.vstack(rows),
        np.array(pen),
        np.array([point for stroke in strokes for point in stroke]),
    )


def _curve(count: int) -> FloatArray:
    """Catmull-Rom spline through ``count`` points: matrix from them to its vertices."""
    basis = np.array([[0, -1, 2, -1], [2, 0, -5, 3], [0, 1, 4, -3], [0, 0, -1, 1]]) / 2
    matrix = np.zeros(((count - 1) * _STEPS + 1, count))
    for k in range(len(matrix)):
        i = min(k // _STEPS, count - 2)
        t = k / _STEPS - i
        for offset, weight in zip(range(-1, 3), basis @ [1, t, t**2, t**3], strict=True):
            matrix[k, min(max(i + offset, 0), count - 1)] += weight
    return matrix
