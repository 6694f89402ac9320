"""Logic cells of an iCE40 that a netlist fills, as nextpnr packs it.

A logic cell is a LUT with a register behind it and a carry cell next to it. A register goes with
the LUT that drives it and nothing else, a carry cell with the LUT that takes the same two operands
and the carry into it; what finds no partner fills a logic cell alone.
Source: the log of nextpnr-ice40 0.11.1 (``--pack-only``), which counts each of these steps, and
its description of them in ``ice40/pack.cc`` and ``ice40/chains.cc``.
"""

from __future__ import annotations

from functools import cached_property

from fxsim.targets.netlist import Cell, Netlist, Pin

LUT, REGISTERS, CARRY = "SB_LUT4", ("SB_DFF*",), "SB_CARRY"


class Packing:
    """How the cells of a netlist come together in logic cells."""

    def __init__(self, netlist: Netlist) -> None:
        self._netlist = netlist
        self._luts = [cell for cell in netlist.cells if cell.type == LUT]
        self._carries = [cell for cell in netlist.cells if cell.type == CARRY]

    @property
    def logic_cells(self) -> int:
        """Logic cells without those that drive constants."""
        registers = sum(cell.among(REGISTERS) for cell in self._netlist.cells)
        return (
            len(self._luts)
            + registers
            - len(self._registered)
            + len(self._lone)
            - len(self._merged[0])
            + self._feeds
        )

    @property
    def constant_cells(self) -> int:
        """Logic cells that drive 0 and 1; the one of 1 is there in any case."""
        return 1 - self._merged[1] + ("0" in self._netlist.constants)

    @cached_property
    def _registered(self) -> set[Cell]:
        """LUTs with a register."""
        return {lut for lut in self._luts if _is_register(self._netlist.users_of(lut, "O"))}

    @cached_property
    def _hosts(self) -> dict[Cell, Cell]:
        """LUT of each carry cell that has one."""
        found: dict[Cell, Cell] = {}
        taken: set[Cell] = set()
        for carry in self._carries:
            lut = self._host(carry, taken)
            if lut is not None:
                found[carry] = lut
                taken.add(lut)
        return found

    def _host(self, carry: Cell, taken: set[Cell]) -> Cell | None:
        operands = (_operand(carry, "I0"), _operand(carry, "I1"))
        if carry.net("CI") is not None:  # the LUT that adds up: the first that takes the carry in
            luts = _luts_at(self._netlist.users_of(carry, "CI"), "I3")[:1]
        else:
            pairs = (("I0", "I1"), ("I1", "I2"))
            users = ((self._netlist.users_of(carry, here), there) for here, there in pairs)
            luts = list({lut: None for pins, port in users for lut in _luts_at(pins, port)})
        alike = [
            lut
            for lut in luts
            if (_operand(lut, "I1"), _operand(lut, "I2")) == operands != (None, None)
            and lut not in taken
        ]
        return alike[0] if len(alike) == 1 else None

    @cached_property
    def _lone(self) -> list[Cell]:
        """Carry cells without a LUT."""
        return [carry for carry in self._carries if carry not in self._hosts]

    @cached_property
    def _merged(self) -> tuple[set[Cell], bool]:
        """LUTs of two inputs that drive a lone carry cell and share its logic cell.

        The cell that drives 1 may be one as well.
        """
        free = {
            lut for lut in self._luts if _operand(lut, "I0") is None and _operand(lut, "I1") is None
        }
        free -= self._registered | set(self._hosts.values())
        merged: set[Cell] = set()
        one = False
        for carry in self._lone:
            for port in ("I0", "I1"):
                if carry.bit(port) == "1" and not one:
                    one = True
                    break
                pin = self._netlist.driver_of(carry, port)
                if pin is not None and pin.cell in free:
                    free.remove(pin.cell)
                    merged.add(pin.cell)
                    break
        return merged, one

    @property
    def _feeds(self) -> int:
        """Logic cells that lead a carry from logic into a chain or out of one."""
        return sum(map(self._feeds_in, self._carries)) + sum(map(self._feeds_out, self._carries))

    def _feeds_in(self, carry: Cell) -> int:
        before = self._netlist.driver_of(carry, "CI")
        chained = before is not None and before.cell is not None and before.cell.type == CARRY
        return int(carry.net("CI") is not None and not chained)

    def _feeds_out(self, carry: Cell) -> int:
        """One where logic reads the carry, and one more for each chain that it goes into again."""
        users = self._netlist.users_of(carry, "CO")
        followers = [p.cell for p in users if p.cell and p.cell.type == CARRY and p.port == "CI"]
        others = [pin for pin in users if pin.cell not in followers]
        if not followers:
            luts = set(_luts_at(others, "I3")) - self._merged[0]
            return int(bool(others) and not (len(others) == 1 and luts))
        alone = not others or others == [Pin(self._hosts.get(followers[0]), "I3")]
        return 0 if len(followers) == 1 and alone else 1 + len(followers)


def logic_cells(netlist: Netlist) -> int:
    """Logic cells of a module, without those that drive constants."""
    return Packing(netlist).logic_cells


def constant_cells(netlist: Netlist) -> int:
    """Logic cells that drive the constants of a whole design."""
    return Packing(netlist).constant_cells


def _operand(cell: Cell, port: str) -> int | str | None:
    """Net of an input, ``1``, or None for 0 and nothing, which are alike."""
    bit = cell.bit(port)
    return None if bit in ("0", "x") else bit


def _is_register(users: list[Pin]) -> bool:
    """Tell whether the input of a register is all that reads a net."""
    cell = users[0].cell if len(users) == 1 else None
    return cell is not None and cell.among(REGISTERS) and users[0].port == "D"


def _luts_at(pins: list[Pin], port: str) -> list[Cell]:
    return [pin.cell for pin in pins if pin.port == port and pin.cell and pin.cell.type == LUT]
