"""The cache: all that can be made again, in one folder, a folder of it for each kind.

It is `$FXSIM_CACHE`, else the user's cache folder. Where that cannot be written, or there is none,
a temporary folder stands in for it; the processes that a command starts share that.

A folder that fxsim has made holds a tag (https://bford.info/cachedir/). Others are never cleared,
whatever they are called.
"""

from __future__ import annotations

import os
import secrets
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import platformdirs

from fxsim.errors import CacheWarning
from fxsim.files import check_folder, remove, write_text
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

TAG = "CACHEDIR.TAG"
_TAGGED = """\
Signature: 8a477f597d28d172789f06886806bc55
# This folder holds what fxsim can make again; "fxsim cache clear" empties it.
"""

_LOCKS = "locks"
_USE = ".use-"


def root() -> Path:
    """The folder of the cache; it need not be there."""
    chosen = os.environ.get(VARIABLE)
    usual: Path = (
        Path(chosen).absolute()
        if chosen
        else platformdirs.user_cache_path("fxsim", appauthor=False)
    )
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
    """Folder of one of `KINDS`, with its tag if it is new; it need not be there."""
    place = root() / kind
    with suppress(OSError):  # whoever writes there tells
        place.mkdir(exist_ok=True)
        if not place.is_symlink() and not any(place.iterdir()):
            write_text(place / TAG, _TAGGED)
    return place


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
    found = _entries(root() / kind)
    inside = (path for entry in found for path in (entry, *entry.rglob("*")))
    return len(found), sum(map(_size, inside))


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size if not path.is_dir() else 0
    except OSError:  # another process has just removed it
        return 0


def _entries(place: Path) -> list[Path]:
    found = sorted(place.iterdir()) if place.is_dir() else []
    return [path for path in found if path.name != TAG]


def clear(kind: str) -> dict[Path, str]:
    """Remove the entries of a kind; returns what stays, and why: what is in use, or is not ours.

    Raises
    ------
    FileError
        If one cannot be removed.
    """
    kept: dict[Path, str] = {}
    place = root() / kind
    if (found := _entries(place)) and not (place / TAG).is_file():
        return {place: f"fxsim did not make it (it has no {TAG})"}
    for path in found:
        with ExitStack() as stack:
            if kind == "sim":  # of others a running process has what it needs
                lock = _lock(path, ".lock")
                if is_held(lock) or _in_use(path):
                    kept[path] = "another command is using it"
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
