"""Lint of emitted Verilog by Verilator, Icarus and slang, as Verilog-2005."""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from fxsim.errors import MissingToolError
from fxsim.testbenches.bench.simulators import find_simulator

WAIVERS = {
    "DECLFILENAME": "one file holds all modules, so that it can be handed over as one",
    "PROCASSINIT": "a register has a power-up value and a reset: FPGAs use both",
    "UNUSEDSIGNAL": "sums are built at full width, then cut where their range is proven",
    "WIDTHEXPAND": "operands of different widths extend by the rules of Verilog-2005",
}
"""Verilator's warnings that the emitted text is free to cause, and why."""

SLANG_WAIVERS = {
    "arith-op-mismatch": WAIVERS["WIDTHEXPAND"],
    "case-default": "signals have a value before a case; one without default names every choice",
    "sign-conversion": "signs are in the operators: bits are stored and passed on without",
    "unused": WAIVERS["UNUSEDSIGNAL"],
}
"""The same of slang."""

_SLANG = """
import sys
from pyslang.driver import Driver
driver = Driver()
driver.addStandardArgs()
read = driver.parseCommandLine(sys.argv[1]) and driver.processOptions() and driver.parseAllSources()
sys.exit(not (read and driver.runFullCompilation(True)))
"""


def lint(
    verilog: str,
    top: str,
    folder: Path,
    *,
    waivers: Iterable[str] = tuple(WAIVERS),
    slang_waivers: Iterable[str] = tuple(SLANG_WAIVERS),
) -> list[str]:
    """Warnings of all three about ``verilog``, which goes to a file in ``folder``.

    Raises
    ------
    MissingToolError
        If a tool is missing or too old.
    """
    source = folder / f"{top}.v"
    source.write_text(verilog)
    simulator = find_simulator("verilator")
    environment = {**os.environ, **simulator.environment}
    verilator = shutil.which("verilator", path=environment["PATH"]) or simulator.where
    return [
        *_complaints(
            [
                *(verilator, "--lint-only", "-Wall", *(f"-Wno-{name}" for name in waivers)),
                *("--language", "1364-2005", "--top-module", top, str(source)),
            ],
            environment,
        ),
        *_complaints(
            [find_simulator("icarus").where, "-g2005", "-Wall", "-t", "null", str(source)],
            environment,
        ),
        *lint_together([source], waivers=slang_waivers),
    ]


def lint_together(
    sources: Iterable[Path],
    *,
    one_unit: bool = False,
    waivers: Iterable[str] = tuple(SLANG_WAIVERS),
) -> list[str]:
    """Warnings of slang about files of one project, as units of their own or as ``one_unit``.

    Raises
    ------
    MissingToolError
        If slang is not installed.
    """
    if importlib.util.find_spec("pyslang") is None:
        raise MissingToolError(
            "pyslang is not installed; install it with: pip install 'fxsim[dev]'"
        )
    options = ["--std", "1364-2005", "-Weverything", *(f"-Wno-{name}" for name in waivers)]
    command = shlex.join(["slang", *options, *["--single-unit"] * one_unit, *map(str, sources)])
    return _complaints([sys.executable, "-c", _SLANG, command], {**os.environ})


def _complaints(command: list[str], environment: dict[str, str]) -> list[str]:
    """Warnings and errors of a tool that is silent, and ends with 0, when all is well."""
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    found = [line for line in lines if line.startswith("%") or ".v:" in line]
    if done.returncode != 0 and not found:
        found = [f"{command[0]} ended with status {done.returncode}", *lines]
    return found
