"""YAML with a ``kind`` -> a unit; one loader for each kind."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from pathlib import Path

from fxsim.errors import SpecError
from fxsim.files import read_yaml
from fxsim.network.units import AnyUnit
from fxsim.spec import mac_unit, skip_unit

KINDS: Mapping[str, Callable[[Path], AnyUnit]] = {
    skip_unit.KIND: skip_unit.load_skip_unit,
    mac_unit.KIND: mac_unit.load_mac_unit,
}


def load_unit(path: Path) -> AnyUnit | None:
    """Read the specification of a unit; None where the file has no ``kind``.

    Raises
    ------
    FileError
        If a file cannot be read.
    SpecError
        If the kind is unknown (the message gives the nearest), or a key is wrong.
    """
    value = read_yaml(path)
    if not isinstance(value, dict) or "kind" not in value:
        return None
    kind = str(value["kind"])
    if kind not in KINDS:
        near = difflib.get_close_matches(kind, KINDS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known kinds: {', '.join(KINDS)}"
        raise SpecError(f"unknown kind {value['kind']!r}; {hint} ({path}: kind)")
    return KINDS[kind](path)
