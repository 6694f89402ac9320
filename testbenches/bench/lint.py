"""Lint of emitted Verilog by Verilator and by Icarus, as Verilog-2005."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from fxsim.testbenches.bench.simulators import find_simulator

WAIVERS = {
    "DECLFILENAME": "one file holds all modules, so that it can be handed over as one",
    "PROCASSINIT": "a register has a power-up value and a reset: FPGAs use both",
    "UNUSEDSIGNAL": "sums are built at full width, then cut where their range is proven",
    "WIDTHEXPAND": "operands of different widths extend by the rules of Verilog-2005",
}
"""Verilator's warnings that the emitted text is free to cause, and why."""


def lint(
    verilog: str, top: str, folder: Path, *, waivers: Iterable[str] = tuple(WAIVERS)
) -> list[str]:
    """Warnings of Verilator and Icarus about ``verilog``, which goes to a file in ``folder``.

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
    ]


def _complaints(command: list[str], environment: dict[str, str]) -> list[str]:
    """Warnings and errors of a tool that is silent, and ends with 0, when all is well."""
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    found = [line for line in lines if line.startswith("%") or ".v:" in line]
    if done.returncode != 0 and not found:
        found = [f"{command[0]} ended with status {done.returncode}", *lines]
    return found
