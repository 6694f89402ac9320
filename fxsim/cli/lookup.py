"""Files of a network or a specification, by the name that the user gives."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fxsim.errors import FileError, RangeError, SpecError
from fxsim.shipped import models_folder

if TYPE_CHECKING:
    from fxsim.network import QuantizedNetwork

SPEC, CHECKPOINT, NETWORK = "spec.yaml", "checkpoint.npz", "network.yaml"


def find_network(text: str) -> Path:
    """Folder of a network, given as a path or as a name.

    Raises
    ------
    FileError
        If there is none; the message gives the nearest names.
    """
    folder = _find(text, NETWORK, "network")
    if not folder.is_dir():
        raise FileError(f"{folder}: must be a folder with {NETWORK} and network.npz")
    return folder


def find_spec(text: str) -> Path:
    """YAML file of a specification, given as a path, a folder or a name.

    Raises
    ------
    FileError
        If there is none; the message gives the nearest names.
    """
    found = _find(text, SPEC, "specification")
    return found / SPEC if found.is_dir() else found


def read_network(text: str) -> QuantizedNetwork:
    """Load the network that ``text`` names."""
    from fxsim.network.storage import load_network

    return load_network(find_network(text))


def shipped_networks() -> list[str]:
    """Folders of the networks that come with fxsim, in the order of their names."""
    return [str(path.parent) for path in sorted(models_folder().glob(f"*/{NETWORK}"))]


@contextmanager
def blamed_on(source: object) -> Iterator[None]:
    """Make errors about values end with where they are from: a file, or a split of a data set."""
    try:
        yield
    except (SpecError, RangeError) as error:
        raise type(error)(f"{error} ({source})") from None


def model_folders() -> Iterator[Path]:
    """Where names are looked up: here, in a source checkout, in an installed package."""
    yield Path("models")
    yield models_folder()


def _find(text: str, member: str, what: str) -> Path:
    path = Path(text)
    if os.sep in text or path.suffix in {".yaml", ".yml"} or (path / member).is_file():
        if not path.exists():
            raise FileError(f"{path}: not found")
        return path
    known: dict[str, Path] = {}
    for folder in model_folders():
        for entry in sorted(folder.glob(f"*/{member}")):
            known.setdefault(_plain(entry.parent.name), entry.parent)
    if _plain(text) in known:
        return known[_plain(text)]
    if path.exists():
        return path
    names = {key: folder.name for key, folder in known.items()}
    near = [names[key] for key in difflib.get_close_matches(_plain(text), names, n=3)]
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(names.values())}"
    raise FileError(f"{text}: no such {what}; {hint if names else 'models/ has none'}")


def _plain(name: str) -> str:
    return name.replace("-", "_").lower()
