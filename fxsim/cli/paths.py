"""Outputs must not take the place of inputs, of results that took long, nor of one another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from fxsim.errors import FileError

_SQLITE = b"SQLite format 3\0"
_BESIDE = ("-wal", "-shm", "-journal", ".lock")
"""Ends of the names of files that belong to a store."""
STORE = "--store"


def check_outputs(outputs: Mapping[str, Path | None], inputs: Mapping[str, Path | None]) -> None:
    """Check that no file to be written is one that is read, one that is written twice, or a store.

    Parameters
    ----------
    outputs, inputs : mapping of str to Path or None
        Files, by what a message calls them: an option or an argument. None is not given. The output
        ``--store`` goes on with a store; all others replace what is there.

    Raises
    ------
    FileError
        With both names and the path, if two are the same file: by another spelling, a symbolic link
        or a hard link, too. If an output is a folder, a device or below a file; would replace an
        SQLite file; is one that belongs to a store; or lies in a folder ``.fxsim``.
    """
    from fxsim.files import check_file

    taken = {name: path for name, path in inputs.items() if path is not None}
    for name, path in outputs.items():
        if path is None:
            continue
        for other, its in taken.items():
            if _same(path, its):
                raise FileError(
                    f"{path}: {name} and {other} are the same file; give another {name}"
                )
        check_file(path)
        taken[name] = path
    _check_stores({name: path for name, path in outputs.items() if path is not None})


def check_data(outputs: Mapping[str, Path | None], data: str) -> None:
    """Check that no output is a file of a data set, or in the folder that it is read from.

    Parameters
    ----------
    outputs : mapping of str to Path or None
    data : str
        Name of the data set, ``mnist@FOLDER``; one that fxsim makes has no files.

    Raises
    ------
    FileError
        With name and path of the output, and the folder.
    """
    from fxsim.data import folder_of

    folder = folder_of(data)
    if folder is None:
        return
    for name, path in outputs.items():
        if path is None:
            continue
        root = folder.resolve()
        if root in (path.resolve(), *path.resolve().parents) or _is_in(path, root):
            raise FileError(
                f"{path}: {name} is in the data folder {folder} of {data}; give another {name}"
            )


def _is_in(path: Path, root: Path) -> bool:
    """True if a file is also in a folder, by a link there."""
    if not path.is_file():
        return False
    return any(found.exists() and path.samefile(found) for found in root.rglob("*"))


def _check_stores(outputs: Mapping[str, Path]) -> None:
    from fxsim.folders import HIDDEN

    made = {outputs[STORE].resolve()} if STORE in outputs else set()
    for name, path in outputs.items():
        if name != STORE and _is_sqlite(path):
            raise FileError(f"{path}: is an SQLite file, as of results; give another {name}")
        for place in (path, path.resolve()):
            if HIDDEN in place.absolute().parts:
                raise FileError(f"{path}: {HIDDEN} is for fxsim alone; give another {name}")
            for store in _stores_of(place):
                if store.resolve() in made or _is_sqlite(store):
                    raise FileError(f"{path}: belongs to the store {store}; give another {name}")


def _stores_of(path: Path) -> Iterator[Path]:
    """Stores that a file of this name would belong to."""
    for end in _BESIDE:
        if path.name.endswith(end) and path.name != end:
            yield path.with_name(path.name.removesuffix(end))


def _is_sqlite(path: Path) -> bool:
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError:  # is told where it is to be written
        return False


def network_files(folder: Path) -> dict[str, Path]:
    """Files that make up a network, as inputs."""
    from fxsim.cli.lookup import CHECKPOINT, SPEC
    from fxsim.network.storage import MANIFEST, TENSORS

    return {f"{name} of NETWORK": folder / name for name in (MANIFEST, TENSORS, SPEC, CHECKPOINT)}


def _same(one: Path, other: Path) -> bool:
    if one.resolve() == other.resolve():
        return True
    return one.exists() and other.exists() and one.samefile(other)
