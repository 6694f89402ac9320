"""Hardware units that are a YAML file with a ``kind``, served like networks."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from fxsim.cli.lookup import model_folders
from fxsim.errors import SpecError

if TYPE_CHECKING:
    from fxsim.network.skip_unit import SkipUnit

KINDS = ("zero-skip",)


def read_unit(text: str) -> SkipUnit | None:
    """Load the unit that ``text`` names: a YAML file with a ``kind``, or its name in models/.

    None where it is no unit, and so perhaps a network.

    Raises
    ------
    SpecError
        If the kind is unknown; the message gives the nearest.
    """
    path = _find(text)
    if path is None:
        return None
    from fxsim.files import read_yaml
    from fxsim.spec.skip_unit import load_skip_unit

    value = read_yaml(path)
    if not isinstance(value, dict) or "kind" not in value:
        return None
    if value["kind"] not in KINDS:
        near = difflib.get_close_matches(str(value["kind"]), KINDS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known kinds: {', '.join(KINDS)}"
        raise SpecError(f"unknown kind {value['kind']!r}; {hint} ({path}: kind)")
    return load_skip_unit(path)


def _find(text: str) -> Path | None:
    path = Path(text)
    if path.suffix in {".yaml", ".yml"}:
        return path if path.is_file() else None
    if os.sep in text or path.exists():
        return None
    name = text.replace("_", "-").lower()
    found = (folder / f"{name}.yaml" for folder in model_folders())
    return next((path for path in found if path.is_file()), None)
