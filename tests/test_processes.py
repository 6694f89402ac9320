"""Runs side by side: same results, what is finished is kept, a dead process is told."""

import json
import os
from functools import partial

import pytest

from fxsim.errors import ConfigError, RangeError
from fxsim.processes import each
from fxsim.reproduce.runs import collect
from fxsim.reproduce.sung2015.plan import Frames
from fxsim.threads import one_thread_each
from tests.messages import raises
from tests.reproduce.tasks import Task, mark


def results(folder, processes):
    recipes = [
        Frames(layers=1, units=units, seed=seed, epochs=1, extra=1)
        for units, seed in ((4, 1), (4, 2), (6, 1))
    ]
    told = []
    found = collect(recipes, folder, {"frames": "digits"}, told.append, processes)
    assert sorted(told) == sorted(found)
    assert list(found) == [recipe.name for recipe in recipes]
    for run in found.values():
        assert run.pop("seconds") > 0
        assert run.pop("cpu") > 0
    return found


def test_results_do_not_depend_on_processes(tmp_path):
    alone = results(tmp_path / "alone", 1)
    assert results(tmp_path / "pair", 2) == alone
    assert len({json.dumps(run, sort_keys=True) for run in alone.values()}) == 3
    stored = json.loads((tmp_path / "pair" / "runs" / "1x4-seed2.json").read_text())
    assert stored["result"]["float"] == alone["1x4-seed2"]["float"]


def test_processes_have_one_thread_each(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    tasks = [Task(1), Task(2), Task(3)]
    assert sorted(result for _, result in each(Task.threads, tasks, 2)) == [
        (1, "1"),
        (2, "1"),
        (3, "1"),
    ]
    assert os.environ["OMP_NUM_THREADS"] == "7"
    monkeypatch.delenv("OMP_NUM_THREADS")
    with one_thread_each():
        assert os.environ["OMP_NUM_THREADS"] == "1"
    assert "OMP_NUM_THREADS" not in os.environ


@pytest.mark.parametrize("processes", [1, 2])
def test_an_error_of_a_run_is_that_of_all(processes):
    with raises(RangeError, "the loss is not finite"):
        list(each(Task.fail, [Task(1), Task(2), Task(3)], processes))


@pytest.mark.parametrize("processes", [1, 2])
def test_no_run_is_begun_after_an_error(processes, tmp_path):
    with raises(RangeError, "the loss is not finite"):
        list(each(partial(mark, tmp_path), [Task(2), *map(Task, range(3, 12))], processes))
    assert len(list(tmp_path.iterdir())) <= processes - 1


def test_a_dead_process_is_told():
    with raises(ConfigError, "a process of the runs has died; is there enough memory?"):
        list(each(Task.die, [Task(1), Task(2)], 2))


def test_no_items():
    assert list(each(partial(Task.fail), [], 4)) == []
