"""Temporary files of this process and of the tools that it starts, in a folder of their own.

The folder goes when the process ends. A process that is killed cannot see to that: what it leaves
is removed when the next one needs such a folder.
"""

from __future__ import annotations

import atexit
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from fxsim.errors import FileError
from fxsim.folders import run_folder

_open: dict[int, Path] = {}
"""Folder of each process: a fork must not take that of its parent for its own."""


def scratch() -> Path:
    """Folder of this process.

    Raises
    ------
    FileError
        If the folder of temporary files cannot be written.
    """
    pid = os.getpid()
    if pid not in _open:
        stack = ExitStack()
        _open[pid] = stack.enter_context(run_folder(_place()))
        atexit.register(_close, pid, stack)
    return _open[pid]


def _close(pid: int, stack: ExitStack) -> None:
    if pid == os.getpid():
        stack.close()


def _place() -> Path:
    """Folder of this user's processes, which nobody else can write."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    place = Path(tempfile.gettempdir()) / f"fxsim-{user}"
    try:
        place.mkdir(mode=0o700, exist_ok=True)
        seen = place.lstat()
    except OSError as error:
        raise FileError(f"{place}: cannot be made ({error.strerror})") from error
    if place.is_symlink() or seen.st_uid != user or seen.st_mode & 0o022:
        raise FileError(f"{place}: belongs to another user, or others can write to it; remove it")
    return place


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Give a new folder that is removed when the block ends.

    Raises
    ------
    FileError
        If it cannot be made, or a file in it cannot be written.
    """
    with tempfile.TemporaryDirectory(dir=scratch(), ignore_cleanup_errors=True) as name:
        try:
            yield Path(name)
        except OSError as error:
            place = error.filename or name
            raise FileError(f"{place}: cannot be written ({error.strerror or error})") from error
