"""Workers that evaluate points: this process, processes on this machine, or a Dask cluster."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Protocol, TypeAlias

from fxsim.errors import ConfigError
from fxsim.explorer.evaluate import Evaluator
from fxsim.explorer.job import Job
from fxsim.explorer.shares import Shares
from fxsim.explorer.space import Choices
from fxsim.explorer.threads import one_thread
from fxsim.processes import deaf_to_interrupts, die_with_parent
from fxsim.threads import one_thread_each

Result: TypeAlias = tuple[Choices, dict[str, float] | str, float]
"""Point, its metrics or why there are none, and the seconds that it took."""


class Workers(Protocol):
    """Evaluates points."""

    def run(self, points: Sequence[Choices]) -> Iterator[Result]:
        """Each result as it comes, in any order."""


class Here:
    """Evaluates in this process."""

    def __init__(self, job: Job) -> None:
        self._evaluate = Evaluator(job)

    def run(self, points: Sequence[Choices]) -> Iterator[Result]:
        """Each result in the order of the points."""
        return (timed(self._evaluate, choices) for choices in points)


class Processes:
    """Evaluates in processes of this machine; the points of one that dies are redone."""

    def __init__(self, job: Job, count: int) -> None:
        self._job = job
        self._count = count
        self._context = get_context("spawn")
        self._idle: list[Connection] = []
        self._processes: dict[Connection, object] = {}

    @property
    def pids(self) -> list[int]:
        """Numbers of the processes."""
        return [process.pid for process in self._processes.values()]  # type: ignore[attr-defined]

    def start(self) -> None:
        """Start the processes, each with one thread for linear algebra."""
        with one_thread_each():
            for _ in range(self._count):
                self._start_one()

    def _start_one(self) -> None:
        here, there = self._context.Pipe()
        process = self._context.Process(target=_work, args=(there, self._job), daemon=True)
        with deaf_to_interrupts():
            process.start()
        there.close()
        self._processes[here] = process
        self._idle.append(here)

    def stop(self) -> None:
        """Let the processes end."""
        for connection in self._processes:
            connection.close()
        for process in self._processes.values():
            process.terminate()  # type: ignore[attr-defined]
            process.join()  # type: ignore[attr-defined]

    def run(self, points: Sequence[Choices]) -> Iterator[Result]:
        """Each result as it comes.

        Raises
        ------
        ConfigError
            If all processes have died.
        """
        shares = Shares(points, self._count)
        busy: dict[Connection, list[Choices]] = {}
        while shares or busy:
            while shares and self._idle:
                connection = self._idle.pop()
                busy[connection] = shares.take(connection)
                try:
                    connection.send(busy[connection])
                except OSError:
                    self._lost(connection, busy, shares)
            if not self._processes:
                raise ConfigError("every worker process has died; is there enough memory?")
            for ready in wait(list(busy)):
                assert isinstance(ready, Connection)
                try:
                    result: Result = ready.recv()
                except (EOFError, OSError):
                    self._lost(ready, busy, shares)
                    continue
                busy[ready].remove(result[0])
                if not busy[ready]:
                    del busy[ready]
                    self._idle.append(ready)
                yield result

    def _lost(
        self, connection: Connection, busy: dict[Connection, list[Choices]], shares: Shares
    ) -> None:
        shares.lose(connection, busy.pop(connection))
        del self._processes[connection]
        connection.close()


@contextmanager
def local_workers(job: Job, processes: int) -> Iterator[Workers]:
    """Workers on this machine: none but this process, or ``processes`` others."""
    if processes == 1:
        with one_thread():
            yield Here(job)
        return
    workers = Processes(job, processes)
    try:
        workers.start()
        yield workers
    finally:
        workers.stop()


def timed(evaluate: Evaluator, choices: Choices) -> Result:
    """Evaluate a point and take the time."""
    start = time.perf_counter()
    found = evaluate(choices)
    return choices, found, time.perf_counter() - start


def _work(connection: Connection, job: Job) -> None:
    """Loop of a process: takes lists of points until the other end is closed."""
    die_with_parent()
    evaluate = Evaluator(job)
    try:
        while True:
            for choices in connection.recv():
                connection.send(timed(evaluate, choices))
    except (EOFError, OSError):
        return
