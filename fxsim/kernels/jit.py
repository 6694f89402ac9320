"""The one place that holds numba's options."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import numba
from numba.core import event

from fxsim.kernels.cache import KernelCache

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
    compiled: F = numba.njit(**options)(function)
    with suppress(RuntimeError):  # there is no folder to write to
        kept: Any = compiled
        kept._cache = KernelCache(function)
    return compiled
