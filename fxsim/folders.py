"""Output folders: a run works in a folder of its own, and its files move in together.

Two runs into one folder neither wait for one another nor mix: the folder holds what the last one to
finish has written, whole. A run that fails or is killed leaves what was there before. Files that
fxsim did not write are never changed or removed.

The folder ``.fxsim`` in an output folder holds what this needs: lock files, which the kernel frees
with the process that holds them; the folders of runs under way; and for each command a list of the
files that it has written, with their SHA-256.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

from fxsim.errors import FileError, UnwrittenError
from fxsim.files import check_folder, make_folder, move, read_bytes, write_text

HIDDEN = ".fxsim"
_PATIENCE = 60
"""Seconds to wait for another run to move its files in, which takes a moment."""
_MAX_BYTES = 1 << 24

Written: TypeAlias = dict[str, list[str]]
"""Paths below an output folder, and the SHA-256 that a file there may have."""

_under_way: set[Path] = set()
"""Folders of runs of this process."""


@contextmanager
def held(lock: Path, path: Path, *, patience: float = 0) -> Iterator[None]:
    """Hold the lock file ``lock`` within the block, so that no other process writes to ``path``.

    The file stays; the lock ends with the process, however that ends.

    Parameters
    ----------
    patience : float
        Seconds to wait for another process; less than 0 for as long as it takes.

    Raises
    ------
    FileError
        If another process holds it for longer, or it cannot be written.
    """
    from filelock import FileLock, Timeout

    made = FileLock(lock)
    try:
        make_folder(lock.parent)
        made.acquire(timeout=patience)
    except Timeout:
        raise FileError(f"{path}: another run is writing to it") from None
    except OSError as error:
        raise FileError(f"{path}: cannot be written ({error.strerror})") from error
    try:
        yield
    finally:
        made.release()


def is_held(lock: Path) -> bool:
    """True if a process holds a lock file."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(lock, timeout=0):
            return False
    except Timeout:
        return True


def reserved(folder: Path) -> AbstractContextManager[None]:
    """Hold ``folder`` for a run that goes on from what it finds there; another is refused."""
    return held(_hidden(folder) / "run.lock", folder)


def writing(folder: Path) -> AbstractContextManager[None]:
    """Hold ``folder`` while files in it change, which takes a moment; others wait."""
    return held(_hidden(folder) / "lock", folder, patience=_PATIENCE)


def _hidden(folder: Path) -> Path:
    hidden = folder / HIDDEN
    if hidden.is_symlink():  # what is tidied up there may not be ours
        raise FileError(f"{hidden}: must be a folder, not a symbolic link")
    return hidden


@contextmanager
def filling(folder: Path, command: str, *, files: Sequence[str] = ()) -> Iterator[Path]:
    """Give a new folder, whose files move into ``folder`` when the block ends well.

    Files that the same command has written there before, and now has not, are removed, unless they
    were changed since. Within a block, a folder below the one that it was given is simply made.

    Parameters
    ----------
    command : str
        Name of what writes, for the list of its files.
    files : sequence of str
        Some of the files that will be there, to refuse them before anything takes time.

    Raises
    ------
    FileError
        If a file would take the place of one that fxsim did not write, or cannot be written.
    UnwrittenError
        If that is found when the block has ended well.
    """
    place = folder.resolve()
    if not _under_way.isdisjoint((place, *place.parents)):
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    with ExitStack() as stack:
        check_room(folder, files)
        run = stack.enter_context(run_folder(_hidden(folder), folder))
        _under_way.add(run)
        stack.callback(_under_way.discard, run)
        try:
            yield run
        except OSError as error:
            if error.filename is not None:
                raise
            raise FileError(f"{folder}: cannot be written ({error.strerror})") from error
        try:
            with writing(folder):
                _move_in(run, folder, command)
        except FileError as error:
            raise UnwrittenError(str(error)) from error


@contextmanager
def run_folder(place: Path, shown: Path | None = None) -> Iterator[Path]:
    """Give a new folder in ``place``, which is removed when the block ends.

    What killed processes have left there is removed, too: the kernel has freed their locks.

    Parameters
    ----------
    shown : Path, optional
        Folder that errors name in the place of ``place``.

    Raises
    ------
    FileError
        If it cannot be made.
    """
    shown = shown or place
    with ExitStack() as stack:
        with held(place / "lock", shown, patience=_PATIENCE):
            _sweep(place)
            try:
                run = Path(tempfile.mkdtemp(prefix="run-", dir=place)).resolve()
            except OSError as error:
                raise FileError(f"{shown}: cannot be written ({error.strerror})") from error
            stack.callback(_remove_run, run)
            stack.enter_context(held(_lock_of(run), shown))
        yield run


@contextmanager
def noting(lost: list[UnwrittenError]) -> Iterator[None]:
    """Put into ``lost`` that results could not be moved, so that they can be shown before that."""
    try:
        yield
    except UnwrittenError as error:
        lost.append(error)


def check_room(folder: Path, files: Iterable[str]) -> None:
    """Check that a run can write ``files`` into a folder, as `filling` does; nothing changes.

    Raises
    ------
    FileError
        If a file would take the place of one that fxsim did not write.
    """
    check_folder(folder)
    _refuse_foreign(folder, files)


def _lock_of(run: Path) -> Path:
    return run.with_suffix(".lock")


def _remove_run(run: Path) -> None:
    shutil.rmtree(run, ignore_errors=True)
    _lock_of(run).unlink(missing_ok=True)


def _sweep(place: Path) -> None:
    """Remove what killed runs have left: folders whose locks nobody holds, and lists half written.

    Lists are written by who holds the lock in ``place``, which the caller does.
    """
    for path in place.glob("run-*"):
        run = path.with_suffix("")
        with suppress(FileError), held(_lock_of(run), place):  # else it is under way
            _remove_run(run)
    for path in place.glob(".*.json"):
        path.unlink()


def _move_in(run: Path, folder: Path, command: str) -> None:
    """Move all files of a run to where they belong.

    The list has the old and the new files before the first one moves, so that after a kill in
    between the next run knows them all.
    """
    new = {name: [_digest(run / name)] for name in _files(run)}
    _refuse_foreign(folder, new)
    path = folder / HIDDEN / f"{command}.json"
    before = _read_list(path) if path.exists() else {}
    both = {name: before.get(name, []) + new.get(name, []) for name in before | new}
    _write_list(path, both)
    for name in new:
        make_folder((folder / name).parent)
        move(run / name, folder / name)
    for name in before.keys() - _known(folder, but=command) - new.keys():
        _remove(folder, name, before[name])
    _write_list(path, new)


def _files(run: Path) -> list[str]:
    found = (path for path in run.rglob("*") if not path.is_dir())
    return sorted(path.relative_to(run).as_posix() for path in found)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _refuse_foreign(folder: Path, names: Iterable[str]) -> None:
    known = _known(folder)
    for name in names:
        path = folder / name
        for parent in path.relative_to(folder).parents[:-1]:
            if os.path.lexists(folder / parent) and not (folder / parent).is_dir():
                raise FileError(f"{folder / parent}: is a file, not a folder")
        if path.is_dir():
            raise FileError(f"{path}: is a folder, not a file")
        if os.path.lexists(path) and name not in known:
            raise FileError(
                f"{path}: exists, and fxsim did not write it; move it away, or give another folder"
            )


def _known(folder: Path, *, but: str = "") -> set[str]:
    """Files that commands have written, all or those of all but one."""
    lists = (folder / HIDDEN).glob("[!.]*.json")
    return {name for path in lists if path.stem != but for name in _read_list(path)}


def _remove(folder: Path, name: str, digests: Sequence[str]) -> None:
    """Remove a file that has one of ``digests``, and folders that are empty then."""
    path, root = folder / name, folder.resolve()
    if not path.resolve().is_relative_to(root) or not path.is_file() or path.is_symlink():
        return
    if _digest(path) not in digests:
        return
    path.unlink()
    for parent in path.relative_to(folder).parents[:-1]:
        with suppress(OSError):  # is not empty
            (folder / parent).rmdir()


def _read_list(path: Path) -> Written:
    try:
        value = json.loads(read_bytes(path, limit=_MAX_BYTES))
        return {str(name): [str(digest) for digest in digests] for name, digests in value.items()}
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise FileError(f"{path}: not a list of written files ({error}); delete it") from error


def _write_list(path: Path, written: Written) -> None:
    write_text(path, json.dumps(written, indent=1) + "\n")
