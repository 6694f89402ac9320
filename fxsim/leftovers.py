"""Temporary files next to those whose place they take, and what killed processes have left of them.

Each is locked while it is written, and the kernel frees the lock with the process.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import tempfile
from pathlib import Path


def open_temporary(path: Path) -> tuple[int, Path]:
    """Make and lock a temporary file next to ``path``; removes those that nobody writes any more.

    Returns
    -------
    handle : int
        Holds the lock until it is closed.
    temporary : Path
    """
    made = re.escape(_prefix(path)) + r"[a-z0-9_]{8}" + re.escape(path.suffix)
    _sweep(path.parent, re.compile(made))
    while True:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=_prefix(path), suffix=path.suffix)
        fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:  # else another process has just swept it away
            return handle, Path(name)
        os.close(handle)


def sweep(folder: Path) -> None:
    """Remove the temporary files in a folder, of whatever file, that nobody writes any more."""
    _sweep(folder, re.compile(r"\.fxsim-[0-9a-f]{16}-[a-z0-9_]{8}(\..*)?"))


def _prefix(path: Path) -> str:
    """Start of the names of temporary files of ``path``, like no name that a person gives."""
    return f".fxsim-{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]}-"


def _sweep(folder: Path, made: re.Pattern[str]) -> None:
    for name in os.listdir(folder):  # noqa: PTH208  a Path for each file takes long
        if made.fullmatch(name):
            _remove_if_free(folder / name)


def _remove_if_free(path: Path) -> None:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:  # it has just gone, or is none of ours
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
    except OSError:  # another process writes it
        pass
    finally:
        os.close(handle)
