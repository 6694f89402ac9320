"""Environment of this process and of those that it starts: no code of the current folder."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from fxsim.errors import ConfigError

_NUMBA_THREADS = "NUMBA_NUM_THREADS"
_POSITIVE = re.compile("0*[1-9][0-9]{0,8}")


def safe() -> dict[str, str | None]:
    """Variables that keep Python from looking for modules in the folder that it is started in.

    Otherwise ``python -m`` and ``python -c``, and so every worker process, would execute a
    ``signal.py`` there. An empty entry of ``PYTHONPATH``, such as a colon at its end leaves, means
    that folder, too.
    """
    entries = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    return {"PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join(entries) or None}


def start_safely() -> None:
    """Execute nothing from the current folder, in this process and in all that it starts.

    Numba would read ``.numba_config.yaml`` there, which may name a folder of compiled code. A
    variable takes the place of that, even when it is empty. Programs are looked up where shells do
    when there is no ``PATH``.
    """
    if "" in os.environ.get("PYTHONPATH", "x").split(os.pathsep):
        _forget_current_folder()
    _put(safe())
    os.environ.setdefault("NUMBA_CACHE_DIR", "")
    os.environ.setdefault("PATH", os.defpath)


def check_threads() -> None:
    """Check the number of threads that numba reads when it is loaded.

    Raises
    ------
    ConfigError
        If it is no positive integer.
    """
    text = os.environ.get(_NUMBA_THREADS, "1")
    if not _POSITIVE.fullmatch(text):
        raise ConfigError(f"{_NUMBA_THREADS} must be a positive integer, not {text!r}")


@contextmanager
def environment(changes: Mapping[str, str | None]) -> Iterator[None]:
    """Change variables of this process, and so of those that it starts, within the block.

    None removes a variable.
    """
    saved = {name: os.environ.get(name) for name in changes}
    _put(changes)
    try:
        yield
    finally:
        _put(saved)


def _forget_current_folder() -> None:
    """Drop the current folder from the path of modules, which simulators and workers inherit."""
    here = Path.cwd()
    named = [Path(entry).resolve() for entry in os.environ["PYTHONPATH"].split(os.pathsep) if entry]
    if here not in (*named, Path(__file__).resolve().parents[1]):
        sys.path[:] = [entry for entry in sys.path if entry not in ("", str(here))]


def _put(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
