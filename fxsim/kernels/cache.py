"""Compiled kernels on disk: what is cut short or changed there is compiled again."""

from __future__ import annotations

import contextlib
import hashlib
import pickle
from pathlib import Path
from typing import Any

from numba.core.caching import IndexDataCacheFile

DIGEST_BYTES = 32


class CheckedCacheFile(IndexDataCacheFile):  # type: ignore[misc]
    """Index and data files of one kernel, each with a SHA-256 at its end.

    numba trusts them. A file that a full disk or a power cut has shortened would end every later
    command, and one with a changed byte would run as code. Nor does a disk that takes no more end
    a command: the kernel is compiled anew in the next process.
    """

    def save(self, key: Any, data: Any) -> None:
        """Write an entry, if the disk takes it."""
        with contextlib.suppress(OSError):
            super().save(key, data)

    def _dump(self, value: Any) -> bytes:
        data: bytes = super()._dump(value)
        return data + hashlib.sha256(data).digest()

    def _load_index(self) -> dict[Any, Any]:
        try:
            with Path(self._index_path).open("rb") as file:
                pickle.load(file)  # the version of numba
                sound = _sound(file.read())
        except Exception:  # unpickling raises whatever its bytes say
            return {}
        found: dict[Any, Any] = super()._load_index() if sound else {}
        return found

    def _load_data(self, name: str) -> Any:
        if not _sound(Path(self._data_path(name)).read_bytes()):
            raise OSError(f"{name} is damaged")  # numba compiles again what it cannot read
        return super()._load_data(name)


def _sound(data: bytes) -> bool:
    """True if the digest at the end is that of the rest."""
    return hashlib.sha256(data[:-DIGEST_BYTES]).digest() == data[-DIGEST_BYTES:]
