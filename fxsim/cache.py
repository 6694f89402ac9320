"""The cache: all that can be made again, in one folder, a folder of it for each kind.

It is `$FXSIM_CACHE`, else the user's cache folder. Where that cannot be written, or there is none,
a temporary folder stands in for it; the processes that a command starts share that.
"""

from __future__ import annotations

import os
import secrets
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import platformdirs

from fxsim.errors import CacheWarning
from fxsim.files import check_folder, remove
from fxsim.folders import held, is_held
from fxsim.scratch import scratch

VARIABLE = "FXSIM_CACHE"
KINDS = {
    "kernels": "loops of the simulator, compiled for this processor",
    "sim": "simulations of Verilog, compiled",
    "synthesis": "cells of synthesized blocks",
    "tools": "Yosys and nextpnr, compiled for this processor",
    "logs": "logs of tools that failed",
}
"""Folders of the cache, and what each holds."""

_LOCKS = "locks"
_USE = ".use-"


def root() -> Path:
    """The folder of the cache; it need not be there."""
    if chosen := os.environ.get(VARIABLE):
        return Path(chosen).absolute()
    usual: Path = platformdirs.user_cache_path("fxsim", appauthor=False)
    if _can_be_written(usual):
        return usual
    os.environ[VARIABLE] = str(scratch() / "cache")
    warnings.warn(
        f"{usual}: cannot be written, so nothing is kept for later runs; set {VARIABLE} to a folder"
        " that can",
        CacheWarning,
        stacklevel=2,
    )
    return Path(os.environ[VARIABLE])


def _can_be_written(folder: Path) -> bool:
    """True if a folder is there, or can be made, and takes files."""
    if not folder.is_absolute():
        return False
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def folder(kind: str) -> Path:
    """Folder of one of `KINDS`; it need not be there."""
    return root() / kind


def damaged(path: Path, consequence: str) -> None:
    """Say that something in the cache is damaged, and what is done about it."""
    warnings.warn(f"{path}: is damaged; {consequence}", CacheWarning, stacklevel=3)


@contextmanager
def changing(kind: str, name: str) -> Iterator[Path]:
    """Give the path of an entry, which no other process changes or clears within the block.

    Others wait. The locks are apart from what they guard, so that an entry can be removed while it
    is held.

    Raises
    ------
    FileError
        If the cache cannot be written.
    """
    path = folder(kind) / name
    check_folder(path.parent)
    with held(_lock(path, ".lock"), path, patience=-1):
        yield path


@contextmanager
def using(path: Path) -> Iterator[None]:
    """Keep an entry from being cleared within the block; to be entered while it is held."""
    lock = _lock(path, f"{_USE}{secrets.token_hex(8)}")
    with held(lock, path):
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def _lock(path: Path, end: str) -> Path:
    return path.parents[1] / _LOCKS / f"{path.parent.name}-{path.name}{end}"


def sizes(kind: str) -> tuple[int, int]:
    """Number of entries of a kind, and the bytes that all its files take."""
    place = folder(kind)
    return len(_entries(place)), sum(map(_size, place.rglob("*")))


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size if not path.is_dir() else 0
    except OSError:  # another process has just removed it
        return 0


def _entries(place: Path) -> list[Path]:
    return sorted(place.iterdir()) if place.is_dir() else []


def clear(kind: str) -> list[Path]:
    """Remove the entries of a kind but those in use, which are returned.

    Raises
    ------
    FileError
        If one cannot be removed.
    """
    kept = []
    for path in _entries(folder(kind)):
        with ExitStack() as stack:
            if kind == "sim":  # of others a running process has what it needs
                lock = _lock(path, ".lock")
                if is_held(lock) or _in_use(path):
                    kept.append(path)
                    continue
                stack.enter_context(held(lock, path))
            remove(path)
    return kept


def _in_use(path: Path) -> bool:
    """True if a process runs what it found there; locks of killed ones are removed."""
    used = False
    for lock in _lock(path, "").parent.glob(f"{path.parent.name}-{path.name}{_USE}*"):
        if is_held(lock):
            used = True
        else:
            lock.unlink(missing_ok=True)
    return used
