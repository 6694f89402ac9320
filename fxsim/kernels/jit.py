"""The one place that holds numba's options."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba

F = TypeVar("F", bound=Callable[..., object])


def jit(function: F) -> F:
    """Compile ``function`` without the interpreter, cached on disk where that is possible.

    Never with fast floats.
    """
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        compiled: F = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # numba finds no folder to write to
        compiled = numba.njit(**options)(function)
    _watch_all_sources(compiled)
    return compiled


def _watch_all_sources(compiled: Any) -> None:
    """Let a change of any kernel outdate the cache: numba looks at the function's own file only."""
    index: Any = getattr(getattr(compiled, "_cache", None), "_cache_file", None)
    if hasattr(index, "_source_stamp"):
        index._source_stamp = _stamp()


@cache
def _stamp() -> tuple[tuple[str, int, int], ...]:
    files = sorted(Path(__file__).parent.glob("*.py"))
    return tuple((path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in files)
