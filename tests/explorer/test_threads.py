"""One thread for whoever evaluates."""

import os

import numpy as np  # noqa: F401  # BLAS must be there to be limited
from threadpoolctl import threadpool_info

from fxsim.explorer.threads import one_thread
from fxsim.kernels.product import threads


def numbers():
    """Threads of numpy's BLAS and of the kernels."""
    blas = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    assert blas
    return *blas, threads()


def test_one_thread_and_then_as_before(monkeypatch):
    monkeypatch.setenv("FXSIM_THREADS", "3")
    threads.cache_clear()
    before = numbers()
    assert before[-1] == 3
    with one_thread():
        assert set(numbers()) == {1}
        assert os.environ["OPENBLAS_NUM_THREADS"] == "1"
    assert numbers() == before
    assert os.environ["FXSIM_THREADS"] == "3"
    threads.cache_clear()
