"""The families of FPGAs that fxsim knows: a new one is a file and its name here."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from fxsim.errors import ConfigError, SpecError
from fxsim.targets.ecp5 import ECP5
from fxsim.targets.gowin import GOWIN
from fxsim.targets.ice40 import ICE40
from fxsim.targets.target import Part, Placement, Target
from fxsim.targets.xc7 import XC7

TARGETS: Mapping[str, Target] = {target.name: target for target in (XC7, ECP5, ICE40, GOWIN)}
"""Every family by its name."""

PLACED: dict[str, Placement] = {
    name: target.placement for name, target in TARGETS.items() if target.placement is not None
}
"""Families that nextpnr places, and the part of each that it places on."""

DEFAULT = XC7.name
"""Family that is meant where none is named."""


def find_target(name: str) -> Target:
    """Look up a family.

    Raises
    ------
    ConfigError
        If it is unknown; the message gives the nearest known one.
    """
    if name not in TARGETS:
        raise ConfigError(f"unknown target {name!r}; {_nearest(name, TARGETS)}")
    return TARGETS[name]


def find_part(name: str) -> tuple[Target, Part]:
    """Look up a part and the family that it belongs to.

    Raises
    ------
    SpecError
        If it is unknown; the message gives the nearest known one.
    """
    for target in TARGETS.values():
        if name in target.parts:
            return target, target.parts[name]
    known = {part: None for target in TARGETS.values() for part in target.parts}
    raise SpecError(f"unknown part {name!r}; {_nearest(name, known, 'parts')}")


def _nearest(name: str, known: Mapping[str, object], kind: str = "targets") -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known {kind}: {', '.join(known)}"
