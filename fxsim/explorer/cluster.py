"""Evaluation on a Dask cluster: workers get the job once, by its hash; results come back here.

A worker that joins later gets the job too. The scheduler gives the points of a lost worker to
another.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from fxsim.cluster import RETRIES, connected, telling
from fxsim.explorer.evaluate import Evaluator
from fxsim.explorer.job import Job
from fxsim.explorer.space import Choices
from fxsim.explorer.workers import Result, Workers, timed


class _Holder:
    """Dask worker plugin that keeps a job."""

    def __init__(self, job: Job, name: str) -> None:
        self.name = name
        self._job = job
        self._lock: Any = None
        self._evaluate: Evaluator | None = None

    def setup(self, worker: Any) -> None:
        """Make the evaluator; called on the worker."""
        self._lock = threading.Lock()  # its memory is not for several threads
        self._evaluate = Evaluator(self._job)

    def teardown(self, worker: Any) -> None:
        """Forget it."""
        self._evaluate = None

    def run(self, choices: Choices) -> Result:
        """Evaluate a point."""
        assert self._evaluate is not None
        with self._lock:
            return timed(self._evaluate, choices)


class Cluster:
    """Evaluates on the workers of a Dask client."""

    def __init__(self, client: Any, job: Job) -> None:
        from distributed import WorkerPlugin

        class Plugin(_Holder, WorkerPlugin):  # type: ignore[misc]
            pass

        self._client = client
        self._name = f"fxsim-{job.hash[:16]}-{uuid.uuid4().hex[:8]}"
        client.register_plugin(Plugin(job, self._name), name=self._name)

    def run(self, points: Sequence[Choices]) -> Iterator[Result]:
        """Each result as it comes.

        Raises
        ------
        ConfigError
            If a point was lost with several workers, or the cluster has gone.
        """
        from distributed import as_completed

        futures = [
            self._client.submit(_evaluate, self._name, choices, pure=False, retries=RETRIES)
            for choices in points
        ]
        with telling():
            for future in as_completed(futures):
                choices, found, seconds = future.result()
                yield tuple(choices), found, seconds
                future.release()

    def stop(self) -> None:
        """Take the job from the workers."""
        self._client.unregister_worker_plugin(self._name)


@contextmanager
def cluster_workers(job: Job, address: str, processes: int) -> Iterator[Workers]:
    """Workers of the scheduler at ``address``, or of a local cluster for ``local``.

    Raises
    ------
    MissingToolError
        If Dask is not installed.
    ConfigError
        If there is no scheduler at the address.
    """
    with connected(address, processes) as client:
        workers = Cluster(client, job)
        yield workers
        workers.stop()


def _evaluate(name: str, choices: Choices) -> Result:
    from distributed import get_worker

    holder: Any = get_worker().plugins[name]
    result: Result = holder.run(tuple(choices))
    return result
