"""What a design takes of a device: whether it fits, and how full the device is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from fxsim.targets.target import RESOURCES, Part, Target


@dataclass(frozen=True)
class Use:
    """What a design takes of a part.

    Parameters
    ----------
    name : str
        Name of the part.
    part : Part
    taken : mapping of str to float
        Cells of each of `RESOURCES`; ``pins`` as well, if known.
    """

    name: str
    part: Part
    taken: Mapping[str, float]

    @property
    def fits(self) -> bool:
        """True if the part has enough of everything but pins.

        A network is a block in a design as a rule, and its ports are no pins there.
        """
        return not self.short

    @property
    def short(self) -> tuple[str, ...]:
        """Resources that the part has too few of."""
        return tuple(kind for kind in RESOURCES if self.taken[kind] > getattr(self.part, kind))

    @property
    def fullest(self) -> str:
        """Resource of which the greatest share is taken."""
        return max(RESOURCES, key=lambda kind: self.share(kind) or 0)

    def share(self, kind: str) -> float | None:
        """Part of a resource that is taken, 1 for all of it; None where the part has none."""
        there = getattr(self.part, kind)
        return self.taken[kind] / there if there else None

    def text(self, kind: str) -> str:
        """What is taken of a resource, of how much, in percent."""
        taken, there = f"{self.taken[kind]:,}", getattr(self.part, kind)
        if there is None:
            return taken
        share = self.share(kind)
        return f"{taken} of {there:,}" + ("" if share is None else f" ({share:.0%})")

    def to_json(self) -> dict[str, Any]:
        """Plain values: of each resource what is taken and what is there."""
        kinds = [kind for kind in (*RESOURCES, "pins") if kind in self.taken]
        pairs = {kind: [self.taken[kind], getattr(self.part, kind)] for kind in kinds}
        return {"part": self.name, "fits": self.fits, **pairs}


class Counted(Protocol):
    """Cells of a design, an attribute for each resource."""

    @property
    def logic(self) -> int: ...
    @property
    def ff(self) -> int: ...
    @property
    def dsp(self) -> int: ...
    @property
    def block_ram(self) -> int: ...
    @property
    def pins(self) -> int: ...


def uses_of(target: Target, counted: Counted) -> list[Use]:
    """What a design takes of each part of a family.

    Parts without DSP blocks are left out if it has some: mapped for them, it would be another.
    """
    taken = {kind: getattr(counted, kind) for kind in (*RESOURCES, "pins")}
    parts = target.parts.items()
    return [Use(name, part, taken) for name, part in parts if part.dsp or not taken["dsp"]]
