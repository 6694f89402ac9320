"""Independent runs, side by side in processes of this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TypeVar

from fxsim.errors import ConfigError
from fxsim.threads import one_thread_each

T = TypeVar("T")
R = TypeVar("R")


def each(work: Callable[[T], R], items: Sequence[T], processes: int) -> Iterator[tuple[T, R]]:
    """Do ``work`` with every item; yields items with their results as they are finished.

    With one process all is done here, in order. Otherwise ``work``, items and results must be
    importable or picklable. What is running when one fails is waited for.

    Raises
    ------
    ConfigError
        If a process dies.
    """
    if min(processes, len(items)) <= 1:
        for item in items:
            yield item, work(item)
        return
    with (
        one_thread_each(),
        ProcessPoolExecutor(min(processes, len(items)), get_context("spawn")) as pool,
    ):
        waiting = {pool.submit(work, item): item for item in items}
        try:
            for future in as_completed(waiting):
                yield waiting[future], future.result()
        except BrokenProcessPool as error:
            raise ConfigError("a process of the runs has died; is there enough memory?") from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
