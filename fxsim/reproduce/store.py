"""Finished runs of an experiment on disk, so that it can be stopped and taken up again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fxsim.errors import FileError
from fxsim.files import read_bytes, write_text

MAX_BYTES = 1 << 26


class Store:
    """One JSON file a run: its recipe and its result, written when it is finished.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, name: str, recipe: Mapping[str, Any]) -> dict[str, Any] | None:
        """Result of a run of exactly this recipe; None if there is none, or of another one.

        Raises
        ------
        FileError
            If the file cannot be read.
        """
        path = self._path(name)
        if not path.exists():
            return None
        try:
            value = json.loads(read_bytes(path, limit=MAX_BYTES))
            result: dict[str, Any] = value["result"]
            same = value["recipe"] == json.loads(json.dumps(dict(recipe)))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise FileError(f"{path}: not a stored run ({error}); delete it") from error
        return result if same else None

    def keep(self, name: str, recipe: Mapping[str, Any], result: Mapping[str, Any]) -> None:
        """Store a finished run, in place of an older one of that name."""
        value = {"recipe": dict(recipe), "result": dict(result)}
        write_text(self._path(name), json.dumps(value, allow_nan=False) + "\n")

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"
