"""Checks of the shapes and lanes of layers that work on each pixel or item by itself."""

from __future__ import annotations

from fxsim.errors import RangeError
from fxsim.network.linear import MAX_LANES


def check_shape(shape: tuple[int, ...], what: str = "shape") -> None:
    """Refuse what is not (channels, height, width) or (items,)."""
    if len(shape) not in {1, 3} or not all(type(n) is int and n > 0 for n in shape):
        raise RangeError(f"{what} must be 1 or 3 positive integers, not {shape}")


def check_lanes(lanes: int, shape: tuple[int, ...]) -> None:
    """Refuse lanes that do not divide the channels of an image, or the items of a vector."""
    if type(lanes) is not int or not 1 <= lanes <= MAX_LANES:
        raise RangeError(f"lanes must be an integer from 1 to {MAX_LANES}, not {lanes!r}")
    if shape[0] % lanes:
        what = "items" if len(shape) == 1 else "channels"
        raise RangeError(f"lanes must divide {shape[0]} {what}, not {lanes}")
