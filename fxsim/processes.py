"""Processes of this machine: independent runs side by side, and the end of all with the command.

A command that is interrupted or terminated ends every process below it at once, whoever has started
it: simulators, compilers, synthesis, workers. Threads that wait for one of them start no other.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from itertools import islice
from multiprocessing import get_context
from typing import TYPE_CHECKING, TypeVar

from fxsim.errors import ConfigError
from fxsim.threads import one_thread_each

if TYPE_CHECKING:
    from types import FrameType

    import psutil

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
    with one_thread_each(), _pool(processes) as pool:
        waiting, running = iter(items), dict[Future[R], T]()
        # No more than there are processes: what is queued cannot be called back for certain.
        with deaf_to_interrupts():
            running.update((pool.submit(work, item), item) for item in islice(waiting, processes))
        try:
            while running:
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    done, result = running.pop(future), future.result()
                    running.update((pool.submit(work, item), item) for item in islice(waiting, 1))
                    yield done, result
        except BrokenProcessPool as error:
            raise ConfigError("a process of the runs has died; is there enough memory?") from error


def _pool(processes: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(processes, get_context("spawn"), initializer=die_with_parent)


_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Let the kernel kill this process when the one that started it has ended, even by SIGKILL.

    Only Linux can.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@contextmanager
def deaf_to_interrupts() -> Iterator[None]:
    """Start processes that an interrupt of the terminal does not reach: this one ends them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Ended(BaseException):
    """The command was asked to end; ``signal`` says how."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.signal = number


_ended = threading.Event()


def check_going_on() -> None:
    """Raise `ConfigError` once this command was asked to end, so that threads start no more."""
    if _ended.is_set():
        raise ConfigError("the command was asked to end")


@contextmanager
def ending_together() -> Iterator[None]:
    """Raise `Ended` on SIGINT, SIGTERM and SIGHUP, when all processes below this have ended.

    A signal that is ignored, as of what a shell starts in the background, stays so.
    """

    def end(number: int, _: FrameType | None) -> None:
        _ended.set()
        end_children()
        raise Ended(number)

    wanted = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    numbers = [n for n in wanted if signal.getsignal(n) != signal.SIG_IGN]
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        if _ended.is_set():
            end_children()  # those that a thread has started meanwhile
            _ended.clear()
        for number, handler in before.items():
            signal.signal(number, handler)


def end_children(pid: int | None = None) -> None:
    """Kill all processes below this one, or ``pid``; stopped first, so that none starts another."""
    import psutil

    found = set[psutil.Process]()
    while new := set(_below(pid or os.getpid())) - found:
        for process in new:
            with suppress(psutil.Error):
                process.suspend()
        found |= new
    for process in found:
        with suppress(psutil.Error):
            process.kill()


def _below(pid: int) -> list[psutil.Process]:
    import psutil

    try:
        found: list[psutil.Process] = psutil.Process(pid).children(recursive=True)
        return found
    except psutil.Error:  # it has ended
        return []
