"""Clock by nextpnr: the emitted Verilog, mapped, placed and routed for an ECP5 or an iCE40."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from fxsim.errors import ConfigError, MissingToolError
from fxsim.hw.tools.synth import command_of
from fxsim.hw.tools.yosys import run_yosys

PARTS = {
    # Ports are left unplaced, so that blocks with more ports than a package has pins can be
    # measured; nextpnr-ice40 cannot do that. Its default router may go round in circles.
    "ecp5": "--85k --package CABGA756 --speed 6 --out-of-context",
    "ice40": "--hx8k --package ct256 --router router2",
}
"""Options of the largest part: an LFE5UM-85F of speed grade 6, an iCE40HX8K."""


def find_nextpnr(target: str) -> str:
    """Path of nextpnr for a target: a native one, or that of the ``pnr`` extra.

    Raises
    ------
    ConfigError
        If the target has none.
    MissingToolError
        If it is not installed.
    """
    if target not in PARTS:
        raise ConfigError(f"target must be one of {', '.join(PARTS)} for a clock, not {target!r}")
    names = (f"nextpnr-{target}", f"yowasp-nextpnr-{target}")
    beside = [str(Path(sys.executable).parent / name) for name in names]
    found = next(filter(None, map(shutil.which, [*names, *beside])), None)
    if found is None:
        raise MissingToolError(
            f"nextpnr-{target} is not installed; install it with: pip install 'fxsim[pnr]'"
        )
    return found


def clocks_mhz(
    verilog: str,
    top: str,
    *,
    target: str = "ecp5",
    dsp: bool = False,
    seeds: Sequence[int] = (1, 2, 3),
    memories: Mapping[str, str] | None = None,
    limit_s: float = 3600,
) -> list[float]:
    """Highest clocks, in MHz, between the registers of ``top``.

    Parameters
    ----------
    target : str
        One of `PARTS`.
    dsp : bool
        Whether multipliers may use DSP blocks; the iCE40 has none.
    seeds : sequence of int
        Of the placer, which places the same synthesis once for each; clocks vary by some percent.
    memories : mapping of str to str, optional
        Name and text of the files that the Verilog reads.
    limit_s : float
        Seconds that one run of nextpnr may take: a router may go round in circles.

    Raises
    ------
    ConfigError
        If the target has no nextpnr.
    MissingToolError
        If nextpnr is not installed, takes longer than ``limit_s``, or with its last line if it or
        Yosys fails.
    """
    tool = find_nextpnr(target)
    command = command_of(target, dsp=dsp and target != "ice40")
    script = f"""read_verilog design.v
{command} -top {top}
write_json design.json"""
    options = f"{PARTS[target]} --timing-allow-fail --freq 400"
    options += " --json design.json --report report.json"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in {"design.v": verilog, **(memories or {})}.items():
            (folder / file).write_text(text)
        run_yosys(script, folder)
        runs = [[tool, *options.split(), "--seed", str(seed)] for seed in seeds]
        return [_place(run, folder, limit_s) for run in runs]


def _place(command: list[str], folder: Path, limit_s: float) -> float:
    try:
        result = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=limit_s
        )
    except subprocess.TimeoutExpired:
        raise MissingToolError(
            f"nextpnr placed and routed nothing within {limit_s:g} s (seed {command[-1]})"
        ) from None
    if result.returncode != 0:
        lines = result.stderr.strip().splitlines() or [f"exit status {result.returncode}"]
        raise MissingToolError(f"nextpnr failed: {lines[-1]}")
    report = json.loads((folder / "report.json").read_text())
    return min(float(clock["achieved"]) for clock in report["fmax"].values())
