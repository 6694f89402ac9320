"""One thread for who evaluates points in this process: more would take the core of another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

from fxsim.kernels.product import threads
from fxsim.threads import one_thread_each


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit this process, and those started inside the block, to one thread."""
    try:
        with one_thread_each(), threadpool_limits(1):
            threads.cache_clear()
            yield
    finally:
        threads.cache_clear()
