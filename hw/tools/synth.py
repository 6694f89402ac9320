"""Area by Yosys: the emitted Verilog, mapped to an FPGA family and counted."""

import re
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fxsim.files import copy, replacing
from fxsim.hw.tools.yosys import LOG, SCRIPT, read_netlist, run_yosys
from fxsim.scratch import scratch_folder
from fxsim.targets.device import Use, uses_of
from fxsim.targets.netlist import netlist_of
from fxsim.targets.registry import find_target
from fxsim.targets.target import Target


@dataclass(frozen=True, kw_only=True)
class SynthResult:
    """Cells of one design on one target.

    Parameters
    ----------
    logic : int
        Logic that it fills once it is packed, in the unit of the family's devices.
    pins : int
        Bits of its ports.
    lut, lut_ram, ff, carry, dsp, block_ram : int
        Totals of the flattened design.
    blocks : dict of str to dict
        The same counts for each ``layer.block``, synthesized by itself: what crosses the border
        between blocks is not optimised, so the sum is a little more than the total.
    """

    target: str
    logic: int
    pins: int
    lut: int
    lut_ram: int
    ff: int
    carry: int
    dsp: int
    block_ram: int
    blocks: dict[str, dict[str, int]]
    seconds: float

    def uses(self) -> list[Use]:
        """What it takes of each part of the family."""
        return uses_of(find_target(self.target), self)


NETLIST, DESIGN = "netlist.json", "design.v"


def files_of(memories: Mapping[str, str]) -> list[str]:
    """Names of the files that `synthesize` keeps."""
    return [DESIGN, *memories, SCRIPT, LOG, NETLIST]


def synthesize(
    verilog: str,
    top: str,
    target: str,
    *,
    dsp: bool = True,
    blocks: bool = True,
    memories: Mapping[str, str] | None = None,
    keep: Path | None = None,
) -> SynthResult:
    """Map ``verilog`` to ``target`` and count cells.

    Parameters
    ----------
    target : str
        One of `fxsim.targets.registry.TARGETS`.
    dsp : bool
        Whether multipliers may use DSP blocks.
    blocks : bool
        Whether to synthesize each block of each layer by itself, too.
    memories : mapping of str to str, optional
        Name and text of the files that the Verilog reads.
    keep : Path, optional
        Folder for the netlist of the whole design, the script that made it and the log, which is
        there if Yosys fails, too.

    Raises
    ------
    ConfigError
        If the target is unknown.
    FileError
        If ``keep`` cannot be written.
    MissingToolError
        If pyosys is not installed or Yosys fails; the message has its last line.
    """
    family = find_target(target)
    start = time.perf_counter()
    paths = _block_paths(verilog, top) if blocks else []
    with ThreadPoolExecutor(2) as pool:  # the whole next to its parts
        files = {DESIGN: verilog, **(memories or {})}
        whole = pool.submit(_count_modules, files, [top], family, dsp, keep)
        modules = [f"{top}.{path}" for path in paths]
        parts = pool.submit(_count_modules, files, modules, family, dsp)
        return SynthResult(
            target=target,
            **whole.result()[0],
            blocks=dict(zip(paths, parts.result(), strict=True)),
            seconds=time.perf_counter() - start,
        )


def _count_modules(
    files: Mapping[str, str],
    modules: list[str],
    family: Target,
    dsp: bool,
    keep: Path | None = None,
) -> list[dict[str, int]]:
    """Cells of each of ``modules`` of design.v, mapped to a family; files of the first are kept."""
    if not modules:
        return []
    netlists = [NETLIST, *(f"netlist{k}.json" for k in range(1, len(modules)))]
    script = [f"read_verilog {DESIGN}", "design -save source"]
    for module, netlist in zip(modules, netlists, strict=True):
        script += ["design -load source", f"{family.synthesis(dsp=dsp)} -top {module}"]
        script += ["select *", f"write_json -selected {netlist}", "select -clear"]
    with scratch_folder() as folder:
        for file, text in files.items():
            (folder / file).write_text(text)
        try:
            run_yosys("\n".join(script), folder)
        finally:
            _keep(folder, [*files, SCRIPT, LOG, NETLIST], keep)
        return [
            _count(read_netlist(folder / netlist)[module], family)
            for module, netlist in zip(modules, netlists, strict=True)
        ]


def _count(module: Mapping[str, Any], family: Target) -> dict[str, int]:
    netlist = netlist_of(module)
    counts = family.count(netlist.counts)
    return {"logic": family.count_logic(netlist), "pins": netlist.pins, **counts}


def _keep(folder: Path, files: Sequence[str], keep: Path | None) -> None:
    """Put files of a run into the folder ``keep``."""
    if keep is None:
        return
    for name in files:
        if (folder / name).exists():
            with replacing(keep / name) as temporary:
                copy(folder / name, temporary)


def _block_paths(verilog: str, top: str) -> list[str]:
    """Paths ``layer.block`` of the blocks; Amaranth names modules by their place."""
    pattern = rf"^module \\{re.escape(top)}\.(\w+\.[\w$]+) "
    return re.findall(pattern, verilog, flags=re.MULTILINE)
