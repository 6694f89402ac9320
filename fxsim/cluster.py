"""Dask clusters: those that others have started, or one of processes on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from fxsim.errors import ConfigError, FxsimError, MissingToolError
from fxsim.threads import one_thread_each

LOCAL = "local"
"""Address that stands for a cluster of processes on this machine."""

CONNECT = 10
"""Seconds to wait for the scheduler."""

RETRIES = 3
"""Workers that an item is given to before it is lost."""

T = TypeVar("T")
R = TypeVar("R")


@contextmanager
def connected(address: str, processes: int) -> Iterator[Any]:
    """Client of the scheduler at ``address``, or of a cluster of ``processes`` for ``local``.

    Raises
    ------
    MissingToolError
        If Dask is not installed.
    ConfigError
        If there is no scheduler at the address.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise MissingToolError(
            "Dask is not installed; install it with: pip install 'fxsim[explore]'"
        ) from None
    own = None
    if address == LOCAL:
        with one_thread_each():
            own = LocalCluster(n_workers=processes, threads_per_worker=1, dashboard_address=None)
    try:
        client = Client(own or address, timeout=CONNECT)
    except (OSError, ValueError, TimeoutError) as error:
        raise ConfigError(f"no Dask scheduler at {address} ({error})") from error
    try:
        yield client
    finally:
        client.close()
        if own is not None:
            own.close()


@contextmanager
def telling() -> Iterator[None]:
    """Turn what Dask raises into an error of ours."""
    try:
        yield
    except (FxsimError, GeneratorExit):
        raise
    except Exception as error:  # Dask has no common base of its errors
        raise ConfigError(f"the cluster failed: {type(error).__name__}: {error}") from error


def each_on(client: Any, work: Callable[[T], R], items: Sequence[T]) -> Iterator[tuple[T, R]]:
    """Do ``work`` with every item on the workers; yields items with results as they are finished.

    Raises
    ------
    ConfigError
        If an item was lost with several workers, or the cluster has gone.
    """
    from distributed import as_completed

    with telling():
        shared = client.scatter(work, broadcast=True)
        futures = {
            client.submit(_call, shared, item, pure=False, retries=RETRIES): item for item in items
        }
        for future in as_completed(list(futures)):
            yield futures[future], future.result()
            future.release()


def _call(work: Callable[[T], R], item: T) -> R:
    return work(item)
