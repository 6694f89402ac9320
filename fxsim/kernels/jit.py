"""The one place that holds numba's options."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numba

F = TypeVar("F", bound=Callable[..., object])


def jit(function: F) -> F:
    """Compile ``function`` without the interpreter, cached on disk; never with fast floats."""
    compiled: F = numba.njit(cache=True, nogil=True)(function)
    return compiled
