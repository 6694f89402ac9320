"""A family of FPGAs: how Yosys maps to it, what its cells count as, what it is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from math import ceil
from typing import NamedTuple

from fxsim.errors import ConfigError
from fxsim.targets.netlist import Netlist

KINDS = ("lut", "lut_ram", "ff", "carry", "dsp", "block_ram")
"""Cells that are counted: logic LUTs, LUTs used as memory or shift register, registers, carry
cells, multipliers, block memories."""


RESOURCES = ("logic", "ff", "dsp", "block_ram")
"""What a design may run out of: logic as the packer fills it, registers, multipliers, memories."""


class Part(NamedTuple):
    """What a device has of each of `RESOURCES`.

    ``pins`` are those of its largest package, if known; ``idle`` is in words what it has in
    addition, and synthesis makes no use of.
    """

    logic: int
    ff: int
    dsp: int
    block_ram: int
    pins: int | None = None
    idle: str = ""


class Placement(NamedTuple):
    """Options of nextpnr for a part of the family."""

    part: str
    options: str


class Multiplier(NamedTuple):
    """A size of multiplier, and the products that Yosys makes of it.

    ``wide`` and ``slim`` are its word lengths. A product takes it whose words have at least
    ``least_wide`` and ``least_slim`` bits, and both together ``least_sum``; longer words are cut.
    It takes the part ``share`` of what counts as one multiplier.
    """

    wide: int
    slim: int
    least_wide: int = 2
    least_slim: int = 2
    least_sum: int = 0
    share: float = 1

    def takes(self, wide: int, slim: int) -> bool:
        """Tell whether a product of words of ``wide`` and ``slim`` bits is made of it."""
        enough = wide >= self.least_wide and slim >= self.least_slim
        return enough and wide + slim >= self.least_sum


class Fabric(NamedTuple):
    """Sizes that decide, by the rules of Yosys, what products and memories become.

    ``address`` is the number of inputs up to which a function of one bit takes a LUT or so;
    ``block`` the bits and the widths of a block RAM; ``rom`` and ``ram`` the bits up to which
    memory that one block RAM would hold is made of LUTs instead, ``lut_ram`` the depth and width
    of memory in LUTs, if there is any; ``multipliers`` the sizes of multipliers, largest first;
    ``sign`` the bits that a word without sign is longer by where the other one has a sign;
    ``carry`` the bits of a carry cell; ``shift`` the registers in a row from which on they become
    a shift register in a LUT, if Yosys makes these.
    """

    address: int
    block: int
    widths: tuple[int, ...]
    rom: int
    ram: int
    lut_ram: tuple[int, int] | None
    multipliers: tuple[Multiplier, ...]
    carry: int
    sign: int = 0
    shift: int | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Target:
    """A family of FPGAs.

    Parameters
    ----------
    name : str
        Word for it on command lines and in files.
    title : str
        Name that its manufacturer gives it.
    command : str
        Yosys command that maps to it.
    with_dsp, without_dsp : str
        Options of the command with which products may take DSP blocks, and may not.
    cells : mapping of str to tuple of str
        Names of the cells that count as each of `KINDS`; ``*`` and ``[1-6]`` as in a shell.
    shares : mapping of str to float
        Cells that count for more or less than one of their kind.
    luts : mapping of str to int
        LUTs that a cell occupies which is no logic LUT.
    logic : callable, optional
        Logic that a module fills once it is packed; default: the LUTs that all its cells take.
    constants : callable, optional
        Logic that a whole design fills in addition, for cells that drive constants.
    fabric : Fabric
    parts : mapping of str to Part
    placement : Placement, optional
        Part that nextpnr measures clocks on.

    Raises
    ------
    ConfigError
        If a kind of cells is unknown, a cell with a share is of no kind, or the placed part is none
        of the parts.
    """

    name: str
    title: str
    command: str
    with_dsp: str = ""
    without_dsp: str = ""
    cells: Mapping[str, tuple[str, ...]]
    shares: Mapping[str, float] = field(default_factory=dict)
    luts: Mapping[str, int] = field(default_factory=dict)
    logic: Callable[[Netlist], int] | None = None
    constants: Callable[[Netlist], int] | None = None
    fabric: Fabric
    parts: Mapping[str, Part]
    placement: Placement | None = None

    def __post_init__(self) -> None:
        for kind in self.cells:
            if kind not in KINDS:
                raise ConfigError(f"cells must be {', '.join(KINDS)}, not {kind!r} ({self.name})")
        for cell in self.shares:
            if self.kind_of(cell) is None:
                raise ConfigError(f"{cell} must be a cell of a kind to have a share ({self.name})")
        if self.placement is not None and self.placement.part not in self.parts:
            raise ConfigError(
                f"placement must be on one of {', '.join(self.parts)},"
                f" not {self.placement.part!r} ({self.name})"
            )

    def synthesis(self, *, dsp: bool) -> str:
        """Yosys command that maps to the family, with or without DSP blocks."""
        return f"{self.command} {self.with_dsp if dsp else self.without_dsp}".rstrip()

    def kind_of(self, cell: str) -> str | None:
        """Kind that a cell counts as; None if it is not counted."""
        for kind, patterns in self.cells.items():
            if any(fnmatchcase(cell, pattern) for pattern in patterns):
                return kind
        return None

    def count(self, cells: Mapping[str, int]) -> dict[str, int]:
        """Cells of each of `KINDS`, from their number by type; what is left of one counts whole."""
        counts = dict.fromkeys(KINDS, 0.0)
        for cell, number in cells.items():
            kind = self.kind_of(cell)
            if kind is not None:
                counts[kind] += number * self.shares.get(cell, 1)
        return {kind: ceil(number) for kind, number in counts.items()}

    def count_luts(self, cells: Mapping[str, int]) -> int:
        """LUTs taken by all cells: by logic, by memories and by carry cells made of LUTs."""
        taken = sum(self.luts.get(cell, 0) * number for cell, number in cells.items())
        return self.count(cells)["lut"] + taken

    def count_logic(self, netlist: Netlist, *, whole: bool = True) -> int:
        """Logic that a module fills once it is packed, alone or as the whole of a design."""
        luts = self.count_luts(netlist.counts) if self.logic is None else self.logic(netlist)
        return luts + (self.constants(netlist) if whole and self.constants else 0)

    def fabric_for(self, *, dsp: bool) -> Fabric:
        """Sizes that decide, with or without DSP blocks."""
        return self.fabric if dsp else self.fabric._replace(multipliers=())

    @property
    def largest(self) -> Part:
        """Part with the most logic."""
        return max(self.parts.values(), key=lambda part: part.logic)
