"""One thread for whoever evaluates points: more would take the core of another process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from fxsim.kernels.product import threads

_VARIABLES = ("FXSIM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


@contextmanager
def one_thread_in_children() -> Iterator[None]:
    """Processes that start meanwhile have one thread for linear algebra."""
    saved = {name: os.environ.get(name) for name in _VARIABLES}
    os.environ.update(dict.fromkeys(_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in saved.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def one_thread() -> Iterator[None]:
    """The process itself has one as well; without threadpoolctl, numpy's BLAS is left alone."""
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        limits = nullcontext()
    else:
        limits = threadpool_limits(1)
    try:
        with one_thread_in_children(), limits:
            threads.cache_clear()
            yield
    finally:
        threads.cache_clear()
