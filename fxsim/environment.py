"""Environment of this process and of those that it starts: no code of the current folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

SAFE = {"PYTHONSAFEPATH": "1"}
"""Keeps Python from looking for modules in the folder that it is started in.

Otherwise ``python -m`` and ``python -c``, and so every worker process, would execute a
``signal.py`` there.
"""


def start_safely() -> None:
    """Execute nothing from the current folder, in this process and in all that it starts.

    Numba would read ``.numba_config.yaml`` there, which may name a folder of compiled code. A
    variable takes the place of that, even when it is empty.
    """
    os.environ.update(SAFE)
    os.environ.setdefault("NUMBA_CACHE_DIR", "")


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


def _put(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
