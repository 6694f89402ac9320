"""Processor cores, and the threads of the libraries that our processes load."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from fxsim.environment import environment, safe

_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "FXSIM_THREADS")


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Processes that are started within compute with one thread each, and start safely.

    Libraries read their number of threads when they are loaded, so it must be in the environment
    that a process starts with.
    """
    with environment({**dict.fromkeys(_VARIABLES, "1"), **safe()}):
        yield
