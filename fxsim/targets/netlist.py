"""A mapped netlist: cells, and which of their pins hang on which nets."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

Bits: TypeAlias = tuple[int | str, ...]
"""What each bit of a port is connected to: the number of a net, or ``0``, ``1``, ``x``."""


class Pin(NamedTuple):
    """A pin of a cell, or of the module itself where the cell is None."""

    cell: Cell | None
    port: str


@dataclass(frozen=True, eq=False)
class Cell:
    """A cell: its type, the bits of its ports, and the ports that it drives."""

    type: str
    bits: Mapping[str, Bits]
    outputs: frozenset[str]

    def bit(self, port: str) -> int | str:
        """Bit of a port that is one bit wide; ``x`` where it has none."""
        return self.bits.get(port, ("x",))[0]

    def net(self, port: str) -> int | None:
        """Net of a port that is one bit wide; None for a constant."""
        bit = self.bit(port)
        return bit if isinstance(bit, int) else None

    def among(self, patterns: tuple[str, ...]) -> bool:
        """Tell whether its type is one of ``patterns``, as in a shell."""
        return any(fnmatchcase(self.type, pattern) for pattern in patterns)


@dataclass(frozen=True, eq=False)
class Netlist:
    """A module of a mapped design.

    Parameters
    ----------
    cells : tuple of Cell
    ports : mapping of str to tuple
        Bits of each port of the module.
    outputs : frozenset of str
        Ports that the module drives.
    """

    cells: tuple[Cell, ...]
    ports: Mapping[str, Bits]
    outputs: frozenset[str]

    @cached_property
    def counts(self) -> Counter[str]:
        """Number of cells of each type."""
        return Counter(cell.type for cell in self.cells)

    @property
    def pins(self) -> int:
        """Bits of all ports of the module."""
        return sum(map(len, self.ports.values()))

    @cached_property
    def users(self) -> Mapping[int, list[Pin]]:
        """Pins that read a net, by its number."""
        found: defaultdict[int, list[Pin]] = defaultdict(list)
        for pin, bit in self._pins():
            if isinstance(bit, int) and not self._drives(pin):
                found[bit].append(pin)
        return found

    @cached_property
    def drivers(self) -> Mapping[int, Pin]:
        """Pin that drives a net, by its number."""
        return {bit: pin for pin, bit in self._pins() if isinstance(bit, int) and self._drives(pin)}

    @cached_property
    def constants(self) -> frozenset[str]:
        """Constants that pins are connected to."""
        return frozenset(bit for _, bit in self._pins() if isinstance(bit, str))

    def users_of(self, cell: Cell, port: str) -> list[Pin]:
        """Pins that read the net of a port that is one bit wide."""
        net = cell.net(port)
        return [] if net is None else self.users.get(net, [])

    def driver_of(self, cell: Cell, port: str) -> Pin | None:
        """Pin that drives the net of a port that is one bit wide, if one does."""
        net = cell.net(port)
        return None if net is None else self.drivers.get(net)

    def _drives(self, pin: Pin) -> bool:
        if pin.cell is None:
            return pin.port not in self.outputs
        return pin.port in pin.cell.outputs

    def _pins(self) -> Iterator[tuple[Pin, int | str]]:
        for cell in self.cells:
            for port, bits in cell.bits.items():
                yield from ((Pin(cell, port), bit) for bit in bits)
        for port, bits in self.ports.items():
            yield from ((Pin(None, port), bit) for bit in bits)


def netlist_of(module: Mapping[str, Any]) -> Netlist:
    """Netlist of a module as ``write_json`` of Yosys writes it."""
    cells = (cell for cell in module["cells"].values() if cell["type"] != "$scopeinfo")
    return Netlist(
        tuple(
            Cell(
                cell["type"],
                {port: tuple(bits) for port, bits in cell["connections"].items()},
                _driven(cell.get("port_directions", {})),
            )
            for cell in cells
        ),
        {name: tuple(port["bits"]) for name, port in module["ports"].items()},
        _driven({name: port["direction"] for name, port in module["ports"].items()}),
    )


def _driven(directions: Mapping[str, str]) -> frozenset[str]:
    return frozenset(port for port, direction in directions.items() if direction != "input")
