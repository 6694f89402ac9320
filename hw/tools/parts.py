"""Cells of the parts of a design: named modules each by itself, the rest of it together.

One run of Yosys maps the whole design with the borders of the named modules kept, so that each of
them is optimised alone and counted alone. Modules whose cells are known from before are left empty.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from fxsim import targets
from fxsim.hw.tools.yosys import read_netlist, run_yosys
from fxsim.scratch import scratch_folder
from fxsim.targets.netlist import Netlist, netlist_of
from fxsim.targets.registry import find_target
from fxsim.targets.target import Target

REST = ""
"""Path of what lies outside of the named modules."""

_MODULE = re.compile(r"^module (\S+) ?\(.*?^endmodule$", re.MULTILINE | re.DOTALL)
_NUMBERED = re.compile(r"(dump_module\$|port\$\d+\$)(\d+)")


def texts_of(
    verilog: str, top: str, paths: Sequence[str], memories: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Verilog of each of the modules ``paths`` with all inside of it, without its place.

    Equal blocks of different networks, or of different layers, have equal texts as a rule.

    Parameters
    ----------
    verilog : str
        As `fxsim.hw.emit` writes it.
    paths : sequence of str
        Places below ``top``, like ``layer0.mac_array``. `REST` stands for all modules outside.
    memories : mapping of str to str, optional
        Name and text of the files that the Verilog reads; their hashes stand for the names.
    """
    modules = {name.removeprefix("\\"): text for name, text in _modules(verilog)}
    named = [f"{top}.{path}" for path in paths if path != REST]
    found: dict[str, list[str]] = {path: [] for path in paths}
    for name in sorted(modules):
        home = next((n for n in named if name == n or name.startswith(f"{n}.")), top)
        path = home[len(top) + 1 :]
        if path in found:
            place = rf"(?<![\w.]){re.escape(home)}(?!\w)"
            text = re.sub(place, "block", modules[name])
            for file, content in (memories or {}).items():
                text = text.replace(f'"{file}"', hashlib.sha256(content.encode()).hexdigest())
            found[path].append(text)
    return {path: _renumbered("\n".join(parts)) for path, parts in found.items()}


def synthesize_parts(
    verilog: str,
    top: str,
    target: str,
    *,
    paths: Sequence[str] = (),
    known: Sequence[str] = (),
    memories: Mapping[str, str] | None = None,
    dsp: bool = True,
) -> dict[str, dict[str, int]]:
    """Map ``verilog`` to ``target`` and count the cells of each of its parts.

    Parameters
    ----------
    target : str
        One of `fxsim.targets.registry.TARGETS`.
    paths : sequence of str
        Modules below ``top`` that are counted by themselves.
    known : sequence of str
        Modules that are left out.
    memories : mapping of str to str, optional
        Name and text of the files that the Verilog reads.

    Returns
    -------
    dict of str to dict
        For each path, and for `REST`: logic (what the cells fill once they are packed), lut (all
        that are taken: by logic, by memories and shift registers, and by carry cells where these
        are made of LUTs), ff, carry, dsp, block_ram.

    Raises
    ------
    ConfigError
        If the target is unknown.
    MissingToolError
        Like `fxsim.hw.tools.synth.synthesize`.
    """
    family = find_target(target)
    script = ["read_verilog design.v"]
    script += [f"blackbox {_escaped(top, path)}" for path in known]
    script += [f"setattr -mod -set keep_hierarchy 1 {_escaped(top, path)}" for path in paths]
    script += [f"{family.synthesis(dsp=dsp)} -top {top}"]
    script += ["select *", "write_json -selected netlist.json"]
    with scratch_folder() as folder:
        for file, text in {"design.v": verilog, **(memories or {})}.items():
            (folder / file).write_text(text)
        run_yosys("\n".join(script), folder)
        modules = read_netlist(folder / "netlist.json")
    empty = Netlist((), {}, frozenset())
    found = {path: modules.get(f"{top}.{path}") for path in paths}
    netlists = {path: netlist_of(seen) if seen else empty for path, seen in found.items()}
    result = {path: _cells(family, netlist) for path, netlist in netlists.items()}
    return {REST: _cells(family, netlist_of(modules[top]), whole=True), **result}


def rules_of(target: str) -> str:
    """Rules that decide the counts next to the design: commands, and how cells are counted."""
    commands = [find_target(target).synthesis(dsp=dsp) for dsp in (True, False)]
    texts = [path.read_bytes() for path in sorted(Path(targets.__file__).parent.glob("*.py"))]
    return repr((commands, hashlib.sha256(b"".join(texts)).hexdigest()))


def _modules(verilog: str) -> list[tuple[str, str]]:
    return [(match[1], match[0]) for match in _MODULE.finditer(verilog)]


def _renumbered(text: str) -> str:
    """Numbers that the Verilog back end counts over the whole file, counted from 0."""
    seen: dict[str, int] = {}
    return _NUMBERED.sub(lambda found: f"{found[1]}{seen.setdefault(found[0], len(seen))}", text)


def _escaped(top: str, path: str) -> str:
    return f"\\{top}.{path}"


def _cells(family: Target, netlist: Netlist, *, whole: bool = False) -> dict[str, int]:
    counted = family.count(netlist.counts)
    kept = {kind: counted[kind] for kind in ("ff", "carry", "dsp", "block_ram")}
    logic = family.count_logic(netlist, whole=whole)
    return {"logic": logic, "lut": family.count_luts(netlist.counts), **kept}
