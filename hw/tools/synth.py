"""Area by Yosys: the emitted Verilog, mapped to an FPGA family and counted."""

import json
import re
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from fxsim.hw.tools.yosys import run_yosys
from fxsim.targets.registry import find_target
from fxsim.targets.target import Target


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
        One of `fxsim.targets.registry.TARGETS`.
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
    family = find_target(target)
    start = time.perf_counter()
    paths = _block_paths(verilog, top) if blocks else []
    with ThreadPoolExecutor(2) as pool:  # the whole next to its parts
        files = {"design.v": verilog, **(memories or {})}
        whole = pool.submit(_count_modules, files, [top], family, dsp)
        modules = [f"{top}.{path}" for path in paths]
        parts = pool.submit(_count_modules, files, modules, family, dsp)
        return SynthResult(
            target=target,
            **whole.result()[0],
            blocks=dict(zip(paths, parts.result(), strict=True)),
            seconds=time.perf_counter() - start,
        )


def _count_modules(
    files: Mapping[str, str], modules: list[str], family: Target, dsp: bool
) -> list[dict[str, int]]:
    """Cells of each of ``modules`` of design.v, mapped to a family."""
    if not modules:
        return []
    script = ["read_verilog design.v", "design -save source"]
    for k, module in enumerate(modules):
        script += [
            "design -load source",
            f"{family.synthesis(dsp=dsp)} -top {module}",
            f"tee -q -o stat{k}.json stat -json -top {module}",
        ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in files.items():
            (folder / file).write_text(text)
        run_yosys("\n".join(script), folder)
        stats = [json.loads((folder / f"stat{k}.json").read_text()) for k in range(len(modules))]
    return [family.count(stat["design"]["num_cells_by_type"]) for stat in stats]


def _block_paths(verilog: str, top: str) -> list[str]:
    """Paths ``layer.block`` of the blocks; Amaranth names modules by their place."""
    pattern = rf"^module \\{re.escape(top)}\.(\w+\.\w+) "
    return re.findall(pattern, verilog, flags=re.MULTILINE)
