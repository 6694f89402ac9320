"""Arrays in npy and npz files, read and written a few rows at a time.

What is in memory is a part, however large the file; the guards are those of `fxsim.files`.
"""

from __future__ import annotations

import math
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
import numpy.typing as npt

from fxsim.errors import FileError
from fxsim.files import check_members, open_file, read_header, replacing

Parts = Mapping[str, npt.NDArray[Any]]


class Rows(Protocol):
    """An array that is read once, from its first row to its last."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the whole."""

    def take(self, *leading: int) -> npt.NDArray[Any]:
        """The next ``prod(leading)`` vectors or images, in the shape (*leading, ...)."""


class ArrayRows:
    """Rows of an array in memory."""

    def __init__(self, array: npt.NDArray[Any]) -> None:
        self.shape, self._array, self._taken = array.shape, array, 0

    def take(self, *leading: int) -> npt.NDArray[Any]:
        """See `Rows`."""
        rest = self.shape[len(leading) :]
        start, self._taken = self._taken, self._taken + math.prod(leading)
        return self._array.reshape(-1, *rest)[start : self._taken].reshape(*leading, *rest)


class StoredRows:
    """Rows of an array in C order in a file, of which ``stream`` is at the first."""

    def __init__(
        self, path: Path, stream: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> None:
        self.shape, self._path, self._stream, self._dtype = shape, path, stream, dtype

    def take(self, *leading: int) -> npt.NDArray[Any]:
        """See `Rows`."""
        shape = (*leading, *self.shape[len(leading) :])
        size = math.prod(shape) * self._dtype.itemsize
        with _errors_of(self._path):
            data = self._stream.read(size)
            if len(data) < size:
                raise FileError(f"{self._path}: was cut short while it was read")
        return np.frombuffer(data, self._dtype).reshape(shape)


@contextmanager
def _errors_of(path: Path) -> Iterator[None]:
    """Turn what zipfile, zlib and the parser of headers raise into a FileError."""
    try:
        yield
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror})") from error
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise FileError(
            f"{path}: not a valid {path.suffix[1:] or 'npy'} file ({reason})"
        ) from error


@contextmanager
def reading_npy(path: Path) -> Iterator[Rows]:
    """Rows of an npy file of integers or floats, of any size.

    One in Fortran order is read whole.

    Raises
    ------
    FileError
        As of `fxsim.files.read_npy`, here and when rows are taken.
    """
    with open_file(path) as stream:
        with _errors_of(path):
            rows = _rows(path, str(path), stream, os.fstat(stream.fileno()).st_size)
        yield rows


@contextmanager
def reading_npz(path: Path) -> Iterator[dict[str, Rows]]:
    """Rows of every array of an npz file, see `reading_npy`."""
    with ExitStack() as stack:
        file = stack.enter_context(open_file(path))
        with _errors_of(path):
            archive = stack.enter_context(zipfile.ZipFile(file))
            check_members(path, archive.infolist())
            found: dict[str, Rows] = {}
            for info in archive.infolist():
                stream = stack.enter_context(archive.open(info))
                name = info.filename.removesuffix(".npy")
                found[name] = _rows(path, f"{path}: {info.filename}", stream, info.file_size)
        yield found


def _rows(path: Path, where: str, stream: IO[bytes], size: int) -> Rows:
    shape, fortran, dtype = read_header(where, stream, size)
    stored = StoredRows(path, stream, shape, dtype)
    if not fortran or len(shape) < 2:
        return stored
    return ArrayRows(stored.take(*shape).reshape(shape[::-1]).T)


@contextmanager
def storing(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> Iterator[Callable[[Parts], None]]:
    """Write int64 arrays in parts, atomically; the given function takes the next rows of each.

    One array becomes an npy file, several become an npz, the same as of `fxsim.files.write_npz`.

    Raises
    ------
    FileError
        If the file cannot be written.
    """
    with replacing(path) as temporary, ExitStack() as stack:
        last = stack.enter_context(temporary.open("wb"))
        streams: dict[str, IO[bytes]] = dict.fromkeys(shapes, last)
        if len(shapes) > 1:
            for name in shapes:
                streams[name] = stack.enter_context(tempfile.TemporaryFile(dir=path.parent))
        for name, shape in shapes.items():
            header = {"descr": "<i8", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(streams[name], header)

        def append(parts: Parts) -> None:
            for name, stream in streams.items():
                stream.write(parts[name].astype("<i8", copy=False).tobytes())

        yield append
        if len(shapes) > 1:
            _pack(streams, last)


def _pack(streams: Mapping[str, IO[bytes]], target: IO[bytes]) -> None:
    with zipfile.ZipFile(target, "w") as archive:
        for name, stream in streams.items():
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type, entry.file_size = zipfile.ZIP_DEFLATED, stream.tell()
            stream.seek(0)
            with archive.open(entry, "w") as member:
                shutil.copyfileobj(stream, member)
