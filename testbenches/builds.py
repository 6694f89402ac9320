"""Compiled simulations, kept on disk: each Verilog is built once by each simulator.

Builds are keyed by a hash of source, tool and arguments: cocotb's own check looks at file times
only and reuses a stale Icarus build when nothing but a parameter has changed.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from fxsim.environment import environment, safe
from fxsim.errors import MissingToolError
from fxsim.files import replacing
from fxsim.folders import held
from fxsim.testbenches.bench.simulators import Simulator

_ARGUMENTS = {
    "verilator": ["-Wno-fatal", "--x-initial", "unique", "--timing"],
    "icarus": ["-Wall"],
}
_RUNTIME = "verilated*.o"
_DAY = 24 * 60 * 60
_STEERING = re.compile(
    r"(COCOTB|GPI|PYGPI|PYTEST|COVERAGE)(_\w+)?|LIBPYTHON_LOC|SIM_CMD_(PREFIX|SUFFIX)"
    r"|WAVES|GUI|MODULE|TESTCASE|TOPLEVEL|TOPLEVEL_LANG|RANDOM_SEED"
)
"""Variables that tell cocotb, its interfaces or pytest to do something else than the job."""


def cache_folder() -> Path:
    """Where builds are kept: $FXSIM_CACHE, else the user's cache folder."""
    if chosen := os.environ.get("FXSIM_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fxsim"


@contextmanager
def tool_environment(changes: Mapping[str, str]) -> Iterator[None]:
    """Environment of a simulator and of its compiler."""
    compiler = os.environ.get("OBJCACHE", "ccache" if shutil.which("ccache") else None)
    inherited = dict.fromkeys(filter(_STEERING.fullmatch, os.environ))
    # cocotb would make a pytest in the simulator, which executes every conftest.py above the run.
    more = {"OBJCACHE": compiler, "COCOTB_REWRITE_ASSERTION_FILES": ""}
    with environment({**inherited, **more, **safe(), **changes}):
        yield


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]


@contextmanager
def _shared_objects(simulator: Simulator, folder: Path) -> Iterator[None]:
    """Compile Verilator's own C++, most of the time of a small build, only once."""
    if simulator.name != "verilator":
        yield
        return
    made_by = [simulator.where, simulator.version, *sorted(simulator.environment.items())]
    key = _digest(json.dumps([*made_by, _ARGUMENTS[simulator.name]]))
    shared = cache_folder() / "sim" / f"verilator-objects-{key}"
    with ExitStack() as stack:
        if not any(shared.glob(_RUNTIME)):  # other builds wait for the one that compiles them
            stack.enter_context(held(shared / "lock", shared, patience=-1))
        for path in shared.glob(_RUNTIME):
            shutil.copyfile(path, folder / path.name)
            # make compiles anew what is older than the makefile that Verilator is going to write.
            os.utime(folder / path.name, (time.time() + _DAY, time.time() + _DAY))
        yield
        for path in folder.glob(_RUNTIME):
            if not (shared / path.name).exists():
                with replacing(shared / path.name) as temporary:  # a cut file would be linked
                    shutil.copyfile(path, temporary)


@dataclass(frozen=True)
class Build:
    """A compiled design: its folder, and the source that it was compiled from."""

    folder: Path
    source: Path


def build(
    simulator: Simulator, verilog: str, top: str, *, quick: bool = False, public: bool = True
) -> Build:
    """Compile ``verilog`` unless that was done before.

    A build that was cut short, or whose source or program has changed since, is done again.
    A ``quick`` build does without the C++ compiler's optimizer, and makes runs a few times slower;
    other builds have -Og, which is as fast as -O2 here, and compiled in half the time. Without
    ``public``, cocotb sees only the signals that the Verilog marks so, and Verilator can do away
    with others.

    Raises
    ------
    MissingToolError
        If the simulator refuses the source; the message names its log.
    """
    from cocotb_tools.runner import get_runner

    arguments = [*_ARGUMENTS[simulator.name]]
    if simulator.name == "verilator":
        # cocotb's runner makes everything public; the last word counts.
        arguments += ["--no-public-flat-rw"] * (not public)
    key = json.dumps(
        [
            verilog,
            top,
            simulator.name,
            simulator.version,
            simulator.where,
            arguments,
            importlib.metadata.version("cocotb"),
            quick,
        ]
    )
    folder = cache_folder() / "sim" / f"{simulator.name}-{_digest(key)}"
    made, done = Build(folder, folder / f"{top}.v"), folder / "done"
    program = folder / ("sim.vvp" if simulator.name == "icarus" else top)
    with held(folder / "lock", folder, patience=-1):
        if done.exists() and done.read_text() == _seal(made.source, program):
            return made
        _clear(folder)
        made.source.write_bytes(verilog.encode())
        changes = dict(simulator.environment)
        optimize = "-O0" if quick else "-Og"
        changes["MAKEFLAGS"] = (
            f"{changes.get('MAKEFLAGS', '')} OPT_FAST={optimize} VM_PARALLEL_BUILDS=0"
        )
        with tool_environment(changes), _shared_objects(simulator, folder):
            try:
                get_runner(simulator.name).build(
                    sources=[made.source],
                    hdl_toplevel=top,
                    build_args=arguments,
                    build_dir=folder,
                    always=True,
                    timescale=("1ns", "1ns"),
                    log_file=folder / "build.log",
                )
            except (RuntimeError, SystemExit) as error:
                raise MissingToolError(
                    f"{simulator.name} cannot build {top}; see {folder / 'build.log'}"
                ) from error
        with replacing(done) as temporary:
            temporary.write_text(_seal(made.source, program))
    return made


def _seal(*paths: Path) -> str:
    """SHA-256 of each file; empty where one is missing."""
    return "\n".join(
        hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "" for path in paths
    )


def _clear(folder: Path) -> None:
    """Remove what a build that was cut short has left, for a compiler may take it for its own."""
    for path in folder.iterdir():
        if path.name != "lock":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
