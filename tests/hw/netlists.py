"""Netlists of generated Verilog: combinational paths, and what enables of registers lead to."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fxsim.hw.tools.yosys import run_yosys

Bit = int | str

_REGISTERS = ("dff", "sdff", "adff", "aldff", "dffsr", "dlatch")


def netlist(
    verilog: str, top: str, folder: Path, memories: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The flat module, its logic as gates, adders and memories."""
    for name, text in {"top.v": verilog, **(memories or {})}.items():
        (folder / name).write_text(text)
    script = (
        f"read_verilog top.v; hierarchy -top {top}; proc; flatten; opt_expr; opt_clean; memory_dff;"
        " memory_collect; opt_dff; opt_clean; simplemap t:$mux t:$not t:$and t:$or t:$xor"
        " t:$logic_not t:$logic_and t:$logic_or t:$reduce_* t:$ne t:$eq t:$pmux; opt_clean;"
        " write_json top.json"
    )
    run_yosys(script, folder)
    found: dict[str, Any] = json.loads((folder / "top.json").read_text())["modules"][top]
    return found


def comb_paths(module: dict[str, Any]) -> set[tuple[str, str]]:
    """Pairs of an input and an output between which there is a path without a register."""
    drivers: dict[Bit, tuple[Bit, ...]] = {}
    for cell in module["cells"].values():
        if _is_register(cell):
            continue
        for outputs, inputs in _arcs(cell):
            drivers |= dict.fromkeys(outputs, inputs)
    sources = {
        bit: name
        for name, port in module["ports"].items()
        if port["direction"] == "input"
        for bit in port["bits"]
    }
    found = set()
    for name, port in module["ports"].items():
        if port["direction"] == "output":
            reached = _cone(port["bits"], drivers)
            found |= {(sources[bit], name) for bit in reached if bit in sources}
    return found


def _cone(bits: Iterable[Bit], drivers: dict[Bit, tuple[Bit, ...]]) -> set[Bit]:
    """All bits that the given ones depend on without a register."""
    found, open_ = set[Bit](), list(bits)
    while open_:
        bit = open_.pop()
        if bit not in found:
            found.add(bit)
            open_ += drivers.get(bit, ())
    return found


def _arcs(cell: dict[str, Any]) -> Iterable[tuple[list[Bit], tuple[Bit, ...]]]:
    """Outputs of a cell, and the inputs that they depend on."""
    ends = cell["connections"]
    if cell["type"].startswith("$mem"):
        # A read that is clocked ends a path; others lead from the address to the data.
        width = int(cell["parameters"]["WIDTH"], 2)
        size = int(cell["parameters"]["ABITS"], 2)
        clocked = cell["parameters"]["RD_CLK_ENABLE"][::-1]
        for port, enabled in enumerate(clocked[: int(cell["parameters"]["RD_PORTS"], 2)]):
            if enabled != "1":
                data = ends["RD_DATA"][port * width : (port + 1) * width]
                yield data, tuple(ends["RD_ADDR"][port * size : (port + 1) * size])
        return
    outputs = [
        bit
        for end, bits in ends.items()
        if cell["port_directions"][end] == "output"
        for bit in bits
    ]
    inputs = tuple(
        bit for end, bits in ends.items() if cell["port_directions"][end] == "input" for bit in bits
    )
    yield outputs, inputs


def enables(module: dict[str, Any]) -> dict[Bit, Counter[str]]:
    """For each net that enables registers, how many of them in each submodule, by its path."""
    homes = {
        bit: name.rpartition(".")[0]
        for name, net in module["netnames"].items()
        if not net["hide_name"]
        for bit in net["bits"]
    }
    found: dict[Bit, Counter[str]] = defaultdict(Counter)
    for cell in module["cells"].values():
        ends = cell["connections"]
        if _is_register(cell) and "EN" in ends:
            (enable,) = ends["EN"]
            found[enable].update(homes.get(bit, "") for bit in ends["Q"])
    return found


def _is_register(cell: dict[str, Any]) -> bool:
    return str(cell["type"]).strip("$_").lower().startswith(_REGISTERS)
