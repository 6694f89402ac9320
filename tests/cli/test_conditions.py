"""Environments, disks and inputs that are not as they should be: one line, and nothing left."""

from __future__ import annotations

import os
import resource
from contextlib import contextmanager

import numpy as np
import pytest

from fxsim.environment import check_threads, start_safely
from fxsim.errors import ConfigError, FileError, RangeError
from fxsim.explorer.skip.gate_gradients import from_file
from fxsim.explorer.skip.study import foldings, study, thresholds
from fxsim.npy import storing
from tests.cli.test_errors import refused
from tests.commands import TERNARY, fxsim_process
from tests.messages import raises


@pytest.mark.parametrize("text", ["0", "-1", "abc", "", "1.5", " 2", "9" * 400])
def test_bad_numbers_of_threads(monkeypatch, text):
    monkeypatch.setenv("NUMBA_NUM_THREADS", text)
    with raises(ConfigError, f"NUMBA_NUM_THREADS must be a positive integer, not {text!r}"):
        check_threads()


@pytest.mark.parametrize("text", ["1", "2", "007", "16"])
def test_good_numbers_of_threads(monkeypatch, text):
    monkeypatch.setenv("NUMBA_NUM_THREADS", text)
    check_threads()
    monkeypatch.delenv("NUMBA_NUM_THREADS")
    check_threads()


def test_a_command_without_threads_is_one_line():
    done = fxsim_process("simulate", TERNARY, env={**os.environ, "NUMBA_NUM_THREADS": "0"})
    assert done.returncode == 1
    assert done.stderr == "error: NUMBA_NUM_THREADS must be a positive integer, not '0'\n"


def test_programs_are_found_without_path(monkeypatch):
    for name, value in (("PYTHONSAFEPATH", "1"), ("NUMBA_CACHE_DIR", "")):  # are put back then
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PATH")
    start_safely()
    assert os.environ["PATH"] == os.defpath
    monkeypatch.setenv("PATH", "/somewhere")
    start_safely()
    assert os.environ["PATH"] == "/somewhere"


@contextmanager
def full_disk(size):
    """Let no file become larger, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_training_state_on_a_full_disk(tmp_path):
    import torch

    from fxsim.training.resume import TrainingState, load_state, save_state

    path = tmp_path / "s"
    save_state(TrainingState(fingerprint="f", epoch=1), path)
    large = TrainingState(fingerprint="f", epoch=2, values={"w": torch.zeros(1 << 16)})
    with full_disk(1 << 12), raises(FileError, f"{path}: cannot be written (File too large)"):
        save_state(large, path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["s"]
    assert load_state(path, "f").epoch == 1  # what was there is


@pytest.mark.parametrize("outputs", [["y"], ["y", "z"]])
def test_results_on_a_full_disk(tmp_path, outputs):
    path = tmp_path / "y.npz"
    path.write_text("precious")
    part = {name: np.arange(1 << 12).reshape(-1, 8) for name in outputs}
    shapes = dict.fromkeys(outputs, (1 << 9, 8))

    def store():
        with storing(path, shapes) as append:
            append(part)

    with full_disk(1 << 12), raises(FileError, f"{path}: cannot be written (File too large)"):
        store()
    assert path.read_text() == "precious"
    assert [entry.name for entry in tmp_path.iterdir()] == ["y.npz"]


def test_a_grid_that_is_too_large_leaves_no_store(tmp_path):
    store = tmp_path / "new" / "s.sqlite"
    arguments = ("explore", TERNARY, "--budget", 1, "--store", store)
    line = "budget must be at least 2880, the points of the grid, not 1; or give another method"
    refused(*arguments, names=[line])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (5, 15)])
def test_skip_studies_of_small_traces(tmp_path, shape):
    path = tmp_path / "t.npy"
    np.save(path, np.ones(shape, np.int8))
    outputs = max(shape[1] // 4, 1)
    line = f"outputs must be at least 4 to keep the MACs busy, not {outputs} ({path})"
    refused("skip-study", path, "-o", tmp_path / "out", names=[line])
    assert [entry.name for entry in tmp_path.iterdir()] == ["t.npy"]


def test_every_number_of_outputs_is_studied_or_refused():
    gradients = np.arange(32).reshape(2, 16) - 16
    for outputs in range(1, 70):
        if any(
            rows <= outputs and issue <= 16 for m in (16, 64) for rows, issue in foldings(m, 64)
        ):
            assert next(study(gradients, outputs=outputs)).macs in (16, 64)
        else:
            with pytest.raises(RangeError, match="outputs must be at least 4"):
                next(study(gradients, outputs=outputs))


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32])
def test_the_least_integer_has_a_magnitude(tmp_path, dtype):
    low = int(np.iinfo(dtype).min)
    np.save(tmp_path / "t.npy", np.full((2, 16), low, dtype))
    assert thresholds(from_file(tmp_path / "t.npy")) == [0, -low]


@pytest.mark.parametrize(("dtype", "value"), [(np.int64, -(2**63)), (np.uint64, 2**63)])
def test_gradients_of_more_than_32_bits(tmp_path, dtype, value):
    path = tmp_path / "t.npy"
    np.save(path, np.full((2, 16), value, dtype))
    with raises(FileError, f"{path}: must hold integers in int32, not {value} to {value}"):
        from_file(path)
