"""Where the files of real data sets are on this machine, and whether they are the published ones.

The folder is given with the name of the data set, or it is ``$FXSIM_DATA``; without that it is
``data`` in the current folder. A set may have a folder of its own in there.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import zlib
from collections.abc import Sequence
from pathlib import Path

from fxsim.errors import FileError, MissingDataError
from fxsim.files import read_bytes

VARIABLE = "FXSIM_DATA"


def base(folder: Path | None) -> Path:
    """Folder that the user gave, else ``$FXSIM_DATA``, else ``data``."""
    return folder or Path(os.environ.get(VARIABLE) or "data")


def folders(name: str, folder: Path | None, subfolders: Sequence[str] = ()) -> list[Path]:
    """Folders to look into, in this order: the given one, one of the set's name, its own ones.

    Parameters
    ----------
    name : str
        Name of the data set.
    folder : Path, optional
        Where the user says that it is; ``$FXSIM_DATA`` or ``data`` otherwise.
    subfolders : sequence of str
        Folders that the published archive unpacks to.
    """
    top = base(folder)
    return [place / sub for place in (top, top / name) for sub in ("", *subfolders)]


def find(name: str, places: Sequence[Path], files: Sequence[str]) -> list[Path]:
    """Paths of ``files``, all in the first of ``places`` that has any; each may end with ``.gz``.

    Raises
    ------
    MissingDataError
        Which file is missing, and where it was looked for.
    """
    for place in places:
        found = [
            next((path for path in (place / file, place / f"{file}.gz") if path.exists()), None)
            for file in files
        ]
        if all(found):
            return [path for path in found if path is not None]
        if any(found):
            raise missing(name, files[found.index(None)], [place])
    raise missing(name, files[0], places)


def missing(name: str, file: str, places: Sequence[Path]) -> MissingDataError:
    """Error for a file that is in none of ``places``."""
    looked = ", ".join(map(str, places))
    return MissingDataError(
        f"{name}: {file} not found in {looked}; set {VARIABLE} to its folder, or write"
        f" {name}@FOLDER"
    )


def read(path: Path, *, limit: int) -> bytes:
    """Contents of a file, unpacked where its name ends with ``.gz``: at most ``limit`` bytes.

    Raises
    ------
    FileError
        If it cannot be read, is larger, or is damaged.
    """
    raw = read_bytes(path, limit=limit)
    if path.suffix != ".gz":
        return raw
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(raw)) as stream:
            content = stream.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise FileError(f"{path}: not a valid gzip file ({error})") from error
    if len(content) > limit:
        raise FileError(f"{path}: must unpack to at most {limit} bytes")
    return content


def check_published(path: Path, content: bytes, size: int, digest: str | None) -> None:
    """Refuse a file that is not the published one.

    Parameters
    ----------
    path : Path
        For the message.
    content : bytes
    size : int
        Bytes that the published file has.
    digest : str, optional
        Its MD5 or SHA-256 in hexadecimal, where it is known.

    Raises
    ------
    FileError
        With what was expected and what is there.
    """
    if len(content) != size:
        raise FileError(f"{path}: the published file has {size} bytes, this one {len(content)}")
    if digest is None:
        return
    kind = "md5" if len(digest) == 32 else "sha256"
    if (seen := hashlib.new(kind, content, usedforsecurity=False).hexdigest()) != digest:
        raise FileError(f"{path}: the published file has the {kind} {digest}, this one {seen}")
