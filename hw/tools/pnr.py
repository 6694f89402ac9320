"""Clock by nextpnr: the emitted Verilog, mapped, placed and routed on a part of a family."""

import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from fxsim.errors import ConfigError, MissingToolError
from fxsim.hw.tools.yosys import run_yosys
from fxsim.scratch import scratch_folder
from fxsim.targets.registry import PLACED, TARGETS, find_target
from fxsim.tools import read_output, run_tool


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
    with scratch_folder() as folder:
        for file, text in {"design.v": verilog, **(memories or {})}.items():
            (folder / file).write_text(text)
        run_yosys(script, folder)
        runs = [[tool, *options.split(), "--seed", str(seed)] for seed in seeds]
        return [_place(run, folder, limit_s) for run in runs]


def _place(command: list[str], folder: Path, limit_s: float) -> float:
    log, report = folder / "nextpnr.log", folder / "report.json"
    report.unlink(missing_ok=True)
    run_tool("nextpnr", command, folder, log, limit_s=limit_s)
    clocks = read_output("nextpnr", report, log)["fmax"].values()
    return min(float(clock["achieved"]) for clock in clocks)
