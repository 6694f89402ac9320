"""Independent runs, side by side in processes of this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context
from typing import TypeVar

from fxsim.errors import ConfigError
from fxsim.threads import one_thread_each

T = TypeVar("T")
R = TypeVar("R")


def each(work: Callable[[T], R], items: Sequence[T], processes: int) -> Iterator[tuple[T, R]]:
    """Do ``work`` with every item; yields items with their results as they are finished.

    With one process all is done here, in order. Otherwise ``work``, items and results must be
    importable or picklable. When one fails, those that are running are finished first, and no other
    is begun.

    Raises
    ------
    ConfigError
        If a process dies.
    """
    if min(processes, len(items)) <= 1:
        for item in items:
            yield item, work(item)
        return
    with one_thread_each(), ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        waiting, running = iter(items), dict[Future[R], T]()
        # No more than there are processes: what is queued cannot be called back for certain.
        running.update((pool.submit(work, item), item) for item in islice(waiting, processes))
        try:
            while running:
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    done, result = running.pop(future), future.result()
                    running.update((pool.submit(work, item), item) for item in islice(waiting, 1))
                    yield done, result
        except BrokenProcessPool as error:
            raise ConfigError("a process of the runs has died; is there enough memory?") from error
