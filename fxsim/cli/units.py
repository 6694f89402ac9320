"""Hardware units that are a YAML file with a ``kind``, served like networks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, assert_never

from fxsim.cli.lookup import model_folders

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fxsim.network.units import AnyUnit
    from fxsim.testbenches.run import Bench
    from fxsim.testbenches.units import UnitRun


class UnitCommands(Protocol):
    """Answers that commands ask of a unit, whatever its kind."""

    against: str
    """Model that `runs` holds the Verilog equal to."""

    def runs(
        self, most: Mapping[str, int], vectors: int | None, seed: int, folder: Path, bench: Bench
    ) -> list[UnitRun]:
        """Stream hard vectors and random ones through the unit.

        ``most`` has the random vectors for each simulator; ``vectors``, if given, is how many there
        are in all.
        """

    def facts(self) -> dict[str, Any]:
        """Plain values that say all about the unit except its weights."""


def commands_of(unit: AnyUnit) -> UnitCommands:
    """Commands of a unit."""
    from fxsim.cli.mac_array import MacArrayCommands
    from fxsim.cli.zero_skip import ZeroSkipCommands
    from fxsim.network.mac_unit import MacUnit
    from fxsim.network.skip_unit import SkipUnit

    match unit:
        case SkipUnit():
            return ZeroSkipCommands(unit)
        case MacUnit():
            return MacArrayCommands(unit)
        case _:
            assert_never(unit)


def read_unit(text: str) -> AnyUnit | None:
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
    from fxsim.spec.units import load_unit

    return load_unit(path)


def _find(text: str) -> Path | None:
    path = Path(text)
    if path.suffix in {".yaml", ".yml"}:
        return path if path.is_file() else None
    if os.sep in text or path.exists():
        return None
    name = text.replace("_", "-").lower()
    found = (folder / f"{name}.yaml" for folder in model_folders())
    return next((path for path in found if path.is_file()), None)
