"""Clock by nextpnr: the emitted Verilog, mapped, placed and routed on a part of a family."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from fxsim.errors import ConfigError, MissingToolError
from fxsim.hw.tools.yosys import run_yosys
from fxsim.targets.registry import PLACED, TARGETS, find_target


def find_nextpnr(target: str) -> str:
    """Path of nextpnr for a target: a native one, or that of the ``pnr`` extra.

    Raises
    ------
    ConfigError
        If the target is unknown or has none.
    MissingToolError
        If it is not installed.
    """
    if find_target(target).name not in PLACED:
        raise ConfigError(f"target must be one of {', '.join(PLACED)} for a clock, not {target!r}")
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
    target: str,
    dsp: bool = False,
    seeds: Sequence[int] = (1, 2, 3),
    memories: Mapping[str, str] | None = None,
    limit_s: float = 3600,
) -> list[float]:
    """Highest clocks, in MHz, between the registers of ``top``.

    Parameters
    ----------
    target : str
        One of `PLACED`.
    dsp : bool
        Whether multipliers may use DSP blocks, if the part has any.
    seeds : sequence of int
        Of the placer, which places the same synthesis once for each; clocks vary by some percent.
    memories : mapping of str to str, optional
        Name and text of the files that the Verilog reads.
    limit_s : float
        Seconds that one run of nextpnr may take: a router may go round in circles.

    Raises
    ------
    ConfigError
        If the target is unknown or has no nextpnr.
    MissingToolError
        If nextpnr is not installed, takes longer than ``limit_s``, or with its last line if it or
        Yosys fails.
    """
    tool = find_nextpnr(target)
    family, placement = TARGETS[target], PLACED[target]
    command = family.synthesis(dsp=dsp and family.parts[placement.part].dsp > 0)
    script = f"""read_verilog design.v
{command} -top {top}
write_json design.json"""
    options = f"{placement.options} --timing-allow-fail --freq 400"
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
