"""A cache of a test's own, without what takes long to make and no test changes."""

from __future__ import annotations

import os
from pathlib import Path

from fxsim import cache


def own_cache(folder: Path, *, shared: tuple[str, ...] = ("kernels", "tools")) -> tuple[str, str]:
    """Variable and value that make ``folder`` the cache, with some kinds of the usual one."""
    folder.mkdir(parents=True)
    for kind in shared:
        cache.folder(kind).mkdir(parents=True, exist_ok=True)
        (folder / kind).symlink_to(cache.folder(kind))
    return cache.VARIABLE, os.fspath(folder)
