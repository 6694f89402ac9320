"""Drawing of poly-lines with a round pen."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fxsim.kernels.jit import jit

Floats = npt.NDArray[np.floating[Any]]


@jit
def draw(
    points: Floats, pen: npt.NDArray[np.bool_], radius: Floats, edge: Floats, ink: Floats
) -> None:
    """Darken ``ink``; only additions, products and square roots, so all machines draw alike.

    Parameters
    ----------
    points : float64 array, shape (n, p, 2)
        Vertices (x, y) in pixels; the centre of the first pixel is (0, 0).
    pen : bool array, shape (p,)
        True if the line from the vertex before leads here.
    radius, edge : float64 array, shape (n,)
        Half the width of the pen, and the width over which its edge fades, in pixels.
    ink : float32 array, shape (n, height, width)
        Share of each pixel under ink, 0 to 1; grows to the greatest of all lines.
    """
    count, height, width = ink.shape
    for i in range(count):
        fade = edge[i]
        reach = radius[i] + 0.5 * fade
        for k in range(1, points.shape[1]):
            if not pen[k]:
                continue
            ax, ay = points[i, k - 1, 0], points[i, k - 1, 1]
            dx, dy = points[i, k, 0] - ax, points[i, k, 1] - ay
            length = dx * dx + dy * dy
            left = max(int(np.ceil(min(ax, ax + dx) - reach)), 0)
            right = min(int(np.floor(max(ax, ax + dx) + reach)), width - 1)
            top = max(int(np.ceil(min(ay, ay + dy) - reach)), 0)
            bottom = min(int(np.floor(max(ay, ay + dy) + reach)), height - 1)
            for y in range(top, bottom + 1):
                for x in range(left, right + 1):
                    along = 0.0
                    if length > 0.0:
                        along = ((x - ax) * dx + (y - ay) * dy) / length
                        along = min(max(along, 0.0), 1.0)
                    ex, ey = x - ax - along * dx, y - ay - along * dy
                    cover = (reach - np.sqrt(ex * ex + ey * ey)) / fade
                    if cover > ink[i, y, x]:
                        ink[i, y, x] = min(cover, 1.0)
