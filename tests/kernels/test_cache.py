"""Compiled kernels that are damaged on disk are said, compiled again, and never run."""

import importlib.util
import os
import warnings

import pytest

from fxsim.errors import CacheWarning

SOURCE = """
from fxsim.kernels.jit import jit

@jit
def double(x):
    return 2 * x
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Import the kernel as a new process would, and call it.

    Tells whether it was loaded, and the file that was said to be damaged, if any.
    """
    monkeypatch.setenv("FXSIM_CACHE", str(tmp_path / "cache"))
    source = tmp_path / "kernel_of_a_test.py"
    source.write_text(SOURCE)

    def call():
        spec = importlib.util.spec_from_file_location(source.stem, source)
        module = importlib.util.module_from_spec(spec)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", CacheWarning)
            spec.loader.exec_module(module)
            assert module.double(21) == 42
        return bool(module.double.stats.cache_hits), [str(warning.message) for warning in told]

    assert call() == (False, [])
    assert call() == (True, [])
    return call


def files(folder, suffix):
    found = list((folder / "cache" / "kernels").rglob(f"*.{suffix}"))
    assert len(found) == 1
    return found[0]


def flipped(place):
    def damage(path):
        data = bytearray(path.read_bytes())
        data[int(place * len(data))] ^= 1
        path.write_bytes(data)

    return damage


def cut(length):
    return lambda path: path.write_bytes(path.read_bytes()[: int(length * path.stat().st_size)])


def folder(path):
    path.unlink()
    path.mkdir()
    (path / "file").touch()


DAMAGES = {
    **{f"flipped at {place}": flipped(place) for place in (0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.999)},
    **{f"cut to {length}": cut(length) for length in (0, 0.01, 0.5, 0.99)},
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"x"),
    "folder": folder,
}


@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_files_are_compiled_again(run, tmp_path, suffix, damage):
    path = files(tmp_path, suffix)
    damage(path)
    hit, told = run()
    assert not hit
    assert set(told) == {f"{path}: is damaged; the kernel is compiled again"}
    assert run() == (True, [])


def test_a_missing_file_is_compiled_again(run, tmp_path):
    files(tmp_path, "nbc").unlink()
    assert run() == (False, [])
    assert run() == (True, [])


def test_a_disk_that_takes_no_more_ends_nothing(run, tmp_path, monkeypatch):
    files(tmp_path, "nbi").unlink()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert run() == (False, [])


def test_a_cache_that_cannot_be_written_ends_nothing(run, monkeypatch):
    monkeypatch.setenv("FXSIM_CACHE", "/dev/null/cache")
    hit, (told,) = run()
    assert not hit
    assert told.startswith("/dev/null/cache: cannot be written, so nothing is kept for later runs")
