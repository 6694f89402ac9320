"""Area by Yosys: the emitted Verilog, mapped to an FPGA family and counted."""

import json
import re
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from fxsim.errors import ConfigError
from fxsim.hw.tools.yosys import run_yosys

TARGETS = ("xc7", "ecp5", "ice40")

_COMMANDS = {
    ("xc7", True): "synth_xilinx -family xc7 -flatten",
    ("xc7", False): "synth_xilinx -family xc7 -flatten -nodsp",
    ("ecp5", True): "synth_ecp5",
    ("ecp5", False): "synth_ecp5 -nodsp",
    ("ice40", True): "synth_ice40 -dsp",
    ("ice40", False): "synth_ice40",
}

# Cells and what they count as: logic LUTs, LUTs used as memory or shift register, registers, carry
# cells, multipliers, block memories. One cell of ECP5's CCU2C and PFUMX is not a LUT of its own.
KINDS = {
    "lut": ("LUT1", "LUT2", "LUT3", "LUT4", "LUT5", "LUT6", "SB_LUT4"),
    "lut_ram": (
        *("RAM32M", "RAM64M", "RAM32X1D", "RAM64X1D", "RAM128X1D", "RAM16X1D", "RAM64X1S"),
        *("RAM32X1S", "RAM128X1S", "RAM256X1S", "SRL16E", "SRLC16E", "SRLC32E", "TRELLIS_DPR16X4"),
    ),
    "ff": ("FDRE", "FDSE", "FDCE", "FDPE", "TRELLIS_FF", "SB_DFF"),
    "carry": ("CARRY4", "CCU2C", "SB_CARRY"),
    "dsp": ("DSP48E1", "MULT18X18D", "SB_MAC16"),
    "block_ram": ("RAMB18E1", "RAMB36E1", "DP16KD", "PDPW16KD", "SB_RAM40_4K"),
}
_KIND_OF = {cell: kind for kind, cells in KINDS.items() for cell in cells}


@dataclass(frozen=True, kw_only=True)
class SynthResult:
    """Cells of one design on one target.

    Parameters
    ----------
    lut, lut_ram, ff, carry, dsp, block_ram : int
        Totals of the flattened design.
    blocks : dict of str to dict
        The same counts for each ``layer.block``, synthesized by itself: what crosses the border
        between blocks is not optimised, so the sum is a little more than the total.
    """

    target: str
    lut: int
    lut_ram: int
    ff: int
    carry: int
    dsp: int
    block_ram: int
    blocks: dict[str, dict[str, int]]
    seconds: float


def synthesize(
    verilog: str,
    top: str,
    target: str,
    *,
    dsp: bool = True,
    blocks: bool = True,
    memories: Mapping[str, str] | None = None,
) -> SynthResult:
    """Map ``verilog`` to ``target`` and count cells.

    Parameters
    ----------
    target : str
        One of `TARGETS`: Xilinx 7-series, Lattice ECP5, Lattice iCE40.
    dsp : bool
        Whether multipliers may use DSP blocks.
    blocks : bool
        Whether to synthesize each block of each layer by itself, too.
    memories : mapping of str to str, optional
        Name and text of the files that the Verilog reads.

    Raises
    ------
    ConfigError
        If the target is unknown.
    MissingToolError
        If pyosys is not installed or Yosys fails; the message has its last line.
    """
    command = command_of(check_target(target), dsp=dsp)
    start = time.perf_counter()
    paths = _block_paths(verilog, top) if blocks else []
    with ThreadPoolExecutor(2) as pool:  # the whole beside its parts
        files = {"design.v": verilog, **(memories or {})}
        whole = pool.submit(_count_modules, files, [top], command)
        parts = pool.submit(_count_modules, files, [f"{top}.{path}" for path in paths], command)
        return SynthResult(
            target=target,
            **whole.result()[0],
            blocks=dict(zip(paths, parts.result(), strict=True)),
            seconds=time.perf_counter() - start,
        )


def _count_modules(
    files: Mapping[str, str], modules: list[str], command: str
) -> list[dict[str, int]]:
    """Cells of each of ``modules`` of design.v after ``command``."""
    if not modules:
        return []
    script = ["read_verilog design.v", "design -save source"]
    for k, module in enumerate(modules):
        script += [
            "design -load source",
            f"{command} -top {module}",
            f"tee -q -o stat{k}.json stat -json -top {module}",
        ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in files.items():
            (folder / file).write_text(text)
        run_yosys("\n".join(script), folder)
        stats = [json.loads((folder / f"stat{k}.json").read_text()) for k in range(len(modules))]
    return [count_cells(stat["design"]["num_cells_by_type"]) for stat in stats]


def _block_paths(verilog: str, top: str) -> list[str]:
    """Paths ``layer.block`` of the blocks; Amaranth names modules by their place."""
    pattern = rf"^module \\{re.escape(top)}\.(\w+\.\w+) "
    return re.findall(pattern, verilog, flags=re.MULTILINE)


def check_target(target: str) -> str:
    """Check the name of a target and return it.

    Raises
    ------
    ConfigError
        If it is unknown.
    """
    if target not in TARGETS:
        raise ConfigError(f"target must be one of {', '.join(TARGETS)}, not {target!r}")
    return target


def command_of(target: str, *, dsp: bool) -> str:
    """Yosys command that maps to a target, with or without DSP blocks."""
    return _COMMANDS[target, dsp]


def count_cells(cells: dict[str, int]) -> dict[str, int]:
    """Cells of each kind, from their number by type."""
    counts = Counter(dict.fromkeys(KINDS, 0))
    for cell, number in cells.items():
        kind = "ff" if cell.startswith("SB_DFF") else _KIND_OF.get(cell)
        if kind is not None:
            counts[kind] += number
    return dict(counts)
