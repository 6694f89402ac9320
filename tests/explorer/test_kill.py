"""``kill -9`` at any moment: the run goes on to the same table, byte for byte."""

import multiprocessing
import os
import random
import signal
import time

import pytest

from fxsim.errors import FileError
from fxsim.explorer.front import table
from fxsim.explorer.methods import METHODS
from fxsim.explorer.run import Settings, facts_of, search_space
from fxsim.explorer.store import open_store, read_store
from tests.explorer.small import make

FORK = multiprocessing.get_context("fork")


def explore(path, job, settings):
    with open_store(path, facts_of(job, settings), resume=True) as store:
        search_space(job, store, settings)


def rows(path):
    with read_store(path) as store:
        return table(store)


def made(path):
    """Whether the run came as far as making its store."""
    try:
        with read_store(path):
            return True
    except FileError as error:
        return not str(error).endswith(("is empty", "not found"))


def run_and_kill(tmp_path, method, kills, seed):
    job, settings = make(), Settings(method=method, budget=54)
    start = time.perf_counter()
    explore(tmp_path / "whole.sqlite", job, settings)
    seconds = time.perf_counter() - start
    whole = rows(tmp_path / "whole.sqlite")
    rng, killed, runs, partial = random.Random(seed), 0, 0, 0
    path = tmp_path / "s0.sqlite"
    while killed < kills:
        process = FORK.Process(target=explore, args=(path, job, settings))
        process.start()
        time.sleep(rng.uniform(0, 0.7 * seconds))
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        if process.exitcode == -signal.SIGKILL:
            killed += 1
            found = set(rows(path).splitlines()[1:]) if made(path) else set()
            assert found <= set(whole.splitlines())
            partial += 0 < len(found) < len(whole.splitlines()) - 1
        else:  # it was done before
            assert process.exitcode == 0
            assert rows(path) == whole
            runs += 1
            path = tmp_path / f"s{runs}.sqlite"
    explore(path, job, settings)
    assert rows(path) == whole
    return partial


@pytest.mark.parametrize("method", METHODS)
def test_a_killed_run_goes_on_to_the_same_table(tmp_path, method):
    run_and_kill(tmp_path, method, 2, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_a_hundred_kills(tmp_path, method):
    assert run_and_kill(tmp_path, method, 100, seed=2) > 10  # in the middle of its evaluations
