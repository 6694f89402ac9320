"""Compiled kernels in the cache: what is cut short or changed there is compiled again."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile
from numba.core.caching import _CacheLocator as CacheLocator

from fxsim.cache import damaged, folder
from fxsim.files import remove

DIGEST_BYTES = 32


class _Locator(CacheLocator):  # type: ignore[misc]
    """Place of a kernel's files; numba's own variable for that still counts."""

    def __init__(self, function: Any, file: str) -> None:
        base = numba.config.CACHE_DIR or folder("kernels")
        self._path = Path(base) / self.get_suitable_cache_subpath(file)
        self._py_file, self._line = file, function.__code__.co_firstlineno

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> _Locator | None:
        """Locator of a function; None where nothing can be written."""
        made = cls(py_func, py_file)
        try:
            made.ensure_cache_path()
        except OSError:
            return None
        return made

    def get_cache_path(self) -> str:
        return str(self._path)

    def get_source_stamp(self) -> tuple[tuple[str, int, int], ...]:
        """Changes with each kernel here and in the folder of the function."""
        return _stamp(Path(self._py_file).parent)

    def get_disambiguator(self) -> str:
        return str(self._line)


class _Results(CompileResultCacheImpl):  # type: ignore[misc]
    _locator_classes = (_Locator,)


class KernelCache(FunctionCache):  # type: ignore[misc]
    """Cache of one kernel, in files with a checksum.

    Raises
    ------
    RuntimeError
        If there is no folder that can be written.
    """

    _impl_class = _Results

    def __init__(self, function: Any) -> None:
        super().__init__(function)
        impl = self._impl
        self._cache_file = CheckedCacheFile(
            self._cache_path, impl.filename_base, impl.locator.get_source_stamp()
        )


@cache
def _stamp(place: Path) -> tuple[tuple[str, int, int], ...]:
    files = sorted(path for at in {Path(__file__).parent, place} for path in at.glob("*.py"))
    return tuple((path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in files)


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
        path = Path(self._index_path)
        if not os.path.lexists(path):
            return {}
        try:
            with path.open("rb") as file:
                version = pickle.load(file)
                sound = _sound(file.read())
        except Exception:  # unpickling raises whatever its bytes say
            version, sound = self._version, False
        if not sound and version == self._version:
            _give_up(path)
        found: dict[Any, Any] = super()._load_index() if sound else {}
        return found

    def _load_data(self, name: str) -> Any:
        path = Path(self._data_path(name))
        if not path.is_file() or not _sound(path.read_bytes()):
            _give_up(path)
            raise OSError(f"{name} is damaged")  # numba compiles again what it cannot read
        return super()._load_data(name)


def _give_up(path: Path) -> None:
    """Make room for a file, whatever is in its place."""
    if os.path.lexists(path):
        damaged(path, "the kernel is compiled again")
        remove(path)


def _sound(data: bytes) -> bool:
    """True if the digest at the end is that of the rest."""
    return hashlib.sha256(data[:-DIGEST_BYTES]).digest() == data[-DIGEST_BYTES:]
