"""The one place that holds numba's options."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core import event

from fxsim.kernels.cache import CheckedCacheFile

F = TypeVar("F", bound=Callable[..., object])


class _Announcement(event.Listener):  # type: ignore[misc]
    """One line on a terminal before the first compilation of a process."""

    def __init__(self) -> None:
        self.due = sys.stderr is not None and sys.stderr.isatty()

    def on_start(self, event: Any) -> None:
        if self.due and event.data["dispatcher"].py_func.__module__.startswith("fxsim."):
            self.due = False
            text = "fxsim: compiling kernels for this processor (seconds; kept for later runs)"
            print(text, file=sys.stderr, flush=True)

    def on_end(self, event: Any) -> None:
        """Say nothing."""


event.register("numba:compile", _Announcement())


def jit(function: F) -> F:
    """Compile ``function`` without the interpreter, cached on disk where that is possible.

    Never with fast floats.
    """
    return _compile(function, {})


def inlined(function: F) -> F:
    """Compile a part of a kernel into each kernel that calls it.

    A call costs some nanoseconds for each array that it passes, which is more than a step of a
    block takes.
    """
    return _compile(function, {"forceinline": True})


def _compile(function: F, special: dict[str, Any]) -> F:
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", **special}
    try:
        compiled: F = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # numba finds no folder to write to
        compiled = numba.njit(**options)(function)
    _watch_all_sources(compiled, Path(inspect.getfile(function)).parent)
    return compiled


def _watch_all_sources(compiled: Any, folder: Path) -> None:
    """Keep the kernel in checked files that a change of any kernel here or in ``folder`` outdates.

    ``folder`` is that of the function; numba looks at the function's own file only.
    """
    kept: Any = getattr(compiled, "_cache", None)
    index: Any = getattr(kept, "_cache_file", None)
    if hasattr(index, "_source_stamp"):
        name = str(index._index_name).removesuffix(".nbi")
        kept._cache_file = CheckedCacheFile(index._cache_path, name, _stamp(folder))


@cache
def _stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    files = sorted(path for place in {Path(__file__).parent, folder} for path in place.glob("*.py"))
    return tuple((path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in files)
