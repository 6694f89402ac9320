"""Outputs must not take the place of inputs, nor of one another."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fxsim.errors import FileError


def check_outputs(outputs: Mapping[str, Path | None], inputs: Mapping[str, Path | None]) -> None:
    """Check that no file to be written is one that is read, or one that is written twice.

    Parameters
    ----------
    outputs, inputs : mapping of str to Path or None
        Files, by what a message calls them: an option or an argument. None is not given.

    Raises
    ------
    FileError
        With both names and the path, if two are the same file: by another spelling, a symbolic link
        or a hard link, too.
    """
    taken = {name: path for name, path in inputs.items() if path is not None}
    for name, path in outputs.items():
        if path is None:
            continue
        for other, its in taken.items():
            if _same(path, its):
                raise FileError(
                    f"{path}: {name} and {other} are the same file; give another {name}"
                )
        taken[name] = path


def network_files(folder: Path) -> dict[str, Path]:
    """Files that make up a network, as inputs."""
    from fxsim.cli.lookup import CHECKPOINT, SPEC
    from fxsim.storage import MANIFEST, TENSORS

    return {f"{name} of NETWORK": folder / name for name in (MANIFEST, TENSORS, SPEC, CHECKPOINT)}


def _same(one: Path, other: Path) -> bool:
    if one.resolve() == other.resolve():
        return True
    return one.exists() and other.exists() and one.samefile(other)
