"""Compiled kernels that are damaged on disk are compiled again, and never run."""

import importlib.util
import itertools
import os

import pytest

SOURCE = """
from fxsim.kernels.jit import jit

@jit
def double(x):
    return 2 * x
"""
NUMBERS = itertools.count()


@pytest.fixture
def run(tmp_path):
    """Import the kernel as a new process would, call it, and tell whether it was loaded."""
    source = tmp_path / "kernel_of_a_test.py"
    source.write_text(SOURCE)

    def call():
        spec = importlib.util.spec_from_file_location(source.stem, source)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        assert module.double(21) == 42
        return bool(module.double.stats.cache_hits)

    assert not call()
    assert call()
    return call


def files(folder, suffix):
    found = [path for path in folder.rglob(f"*.{suffix}") if "double" in path.name]
    assert len(found) == 1
    return found[0]


def cut(data):
    return data[: len(data) // 2]


def flipped(data):
    return data[:-40] + bytes([data[-40] ^ 1]) + data[-39:]


@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
@pytest.mark.parametrize("damage", [cut, flipped, lambda _: b"", lambda data: data + b"x"])
def test_damaged_files_are_compiled_again(run, tmp_path, suffix, damage):
    path = files(tmp_path, suffix)
    path.write_bytes(damage(path.read_bytes()))
    assert not run()
    assert run()


def test_a_missing_file_is_compiled_again(run, tmp_path):
    files(tmp_path, "nbc").unlink()
    assert not run()
    assert run()


def test_a_disk_that_takes_no_more_ends_nothing(run, tmp_path, monkeypatch):
    files(tmp_path, "nbi").unlink()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert not run()
