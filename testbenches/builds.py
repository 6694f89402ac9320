"""Compiled simulations, kept on disk: each Verilog is built once by each simulator.

Builds are keyed by a hash of source, tool and arguments: cocotb's own check looks at file times
only and reuses a stale Icarus build when nothing but a parameter has changed. Of each the cache has
the program, its source and the log, and a seal: what has changed since is said and compiled again.
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

from fxsim import cache
from fxsim.environment import environment
from fxsim.errors import FileError
from fxsim.files import copy, make_folder, remove
from fxsim.folders import run_folder
from fxsim.processes import check_going_on
from fxsim.scratch import scratch_folder
from fxsim.testbenches.bench.simulators import Simulator
from fxsim.tools import failure, first_error, reason, tool_variables

_ARGUMENTS = {
    "verilator": ["-Wno-fatal", "--x-initial", "unique", "--timing"],
    "icarus": ["-Wall"],
}
_RUNTIME, _SEAL = "verilated*.o", "sealed"
_FORM = 2
"""Form of what is kept; another one has other keys, so that earlier builds are not damaged ones."""
_DAY = 24 * 60 * 60
_STEERING = re.compile(
    r"(COCOTB|GPI|PYGPI|PYTEST|COVERAGE)(_\w+)?|LIBPYTHON_LOC|SIM_CMD_(PREFIX|SUFFIX)"
    r"|WAVES|GUI|MODULE|TESTCASE|TOPLEVEL|TOPLEVEL_LANG|RANDOM_SEED"
)
"""Variables that tell cocotb, its interfaces or pytest to do something else than the job."""


@contextmanager
def tool_environment(changes: Mapping[str, str]) -> Iterator[None]:
    """Environment of a simulator and of its compiler."""
    compiler = os.environ.get("OBJCACHE", "ccache" if shutil.which("ccache") else None)
    inherited = dict.fromkeys(filter(_STEERING.fullmatch, os.environ))
    # cocotb would make a pytest in the simulator, which executes every conftest.py above the run.
    more = {"OBJCACHE": compiler, "COCOTB_REWRITE_ASSERTION_FILES": ""}
    with environment({**inherited, **more, **tool_variables(), **changes}):
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
    key = _digest(json.dumps([_FORM, *made_by, _ARGUMENTS[simulator.name]]))
    with ExitStack() as stack:
        shared = stack.enter_context(cache.changing("sim", f"verilator-objects-{key}"))
        if _is_sealed(shared, "the objects are"):
            _copy_objects(shared, folder)
            # make compiles anew what is older than the makefile that Verilator is going to write.
            for path in folder.glob(_RUNTIME):
                os.utime(path, (time.time() + _DAY, time.time() + _DAY))
            stack.close()
            yield
        else:  # other builds wait for this one
            yield
            with _refilled(shared) as fresh:
                _copy_objects(folder, fresh)


def _copy_objects(source: Path, target: Path) -> None:
    for path in source.glob(_RUNTIME):
        copy(path, target / path.name)


@dataclass(frozen=True)
class Build:
    """A compiled design: its folder, and the source that it was compiled from."""

    folder: Path
    source: Path


def build(
    simulator: Simulator, verilog: str, top: str, *, quick: bool = False, public: bool = True
) -> Build:
    """Compile ``verilog`` unless that was done before; see `ready`."""
    with ready(simulator, verilog, top, quick=quick, public=public) as made:
        return made


@contextmanager
def ready(
    simulator: Simulator, verilog: str, top: str, *, quick: bool = False, public: bool = True
) -> Iterator[Build]:
    """Compile ``verilog`` unless that was done before, and keep the result within the block.

    A build that was cut short, or a file of which has changed since, is done again. A ``quick``
    build does without the C++ compiler's optimizer, and makes runs a few times slower; other builds
    have -Og, which is as fast as -O2 here, and compiled in half the time. Without ``public``,
    cocotb sees only the signals that the Verilog marks so, and Verilator can do away with others.

    Raises
    ------
    MissingToolError
        If the simulator refuses the source, or is killed; the message names its log.
    FileError
        If the cache cannot be written.
    """
    arguments = [*_ARGUMENTS[simulator.name]]
    if simulator.name == "verilator":
        # cocotb's runner makes everything public; the last word counts.
        arguments += ["--no-public-flat-rw"] * (not public)
    key = json.dumps(
        [
            _FORM,
            *(verilog, top, simulator.name, simulator.version, simulator.where, arguments),
            importlib.metadata.version("cocotb"),
            quick,
        ]
    )
    program = "sim.vvp" if simulator.name == "icarus" else top
    with ExitStack() as stack:
        with cache.changing("sim", f"{simulator.name}-{_digest(key)}") as folder:
            if not _is_sealed(folder, "the simulation is"):
                with _refilled(folder) as fresh:
                    _compile(simulator, verilog, top, arguments, program, fresh, quick)
            stack.enter_context(cache.using(folder))
        yield Build(folder, folder / f"{top}.v")


def _compile(
    simulator: Simulator,
    verilog: str,
    top: str,
    arguments: list[str],
    program: str,
    target: Path,
    quick: bool,
) -> None:
    """Compile in a folder of its own, for make takes none with a space; keep what runs need."""
    from cocotb_tools.runner import get_runner

    check_going_on()
    changes = dict(simulator.environment)
    options = f"OPT_FAST={'-O0' if quick else '-Og'} VM_PARALLEL_BUILDS=0"
    changes["MAKEFLAGS"] = f"{changes.get('MAKEFLAGS', '')} {options}"
    with scratch_folder() as folder:
        if " " in str(folder) and simulator.name == "verilator":
            raise FileError(f"{folder.parent}: Verilator needs a TMPDIR without spaces")
        source, log = folder / f"{top}.v", folder / "build.log"
        source.write_bytes(verilog.encode())
        with tool_environment(changes), _shared_objects(simulator, folder):
            try:
                get_runner(simulator.name).build(
                    sources=[source],
                    hdl_toplevel=top,
                    build_args=arguments,
                    build_dir=folder,
                    always=True,
                    timescale=("1ns", "1ns"),
                    log_file=log,
                )
            except (RuntimeError, SystemExit) as error:
                check_going_on()
                how = ended(error, first_error(log))
                raise failure(simulator.name, f"cannot build {top}: it {how}", log) from error
            if not (folder / program).is_file():
                raise failure(simulator.name, f"cannot build {top}: it left no program", log)
        for name in (source.name, log.name, program):
            copy(folder / name, target / name)


def ended(error: BaseException, line: str) -> str:
    """How a command of cocotb's runner ended, from its error and a line of its log."""
    status = re.search(r"return code: (-?\d+)", str(error))
    return reason(int(status[1]), line) if status else str(error)


def _is_sealed(folder: Path, what: str) -> bool:
    """True if a folder has what it had when it was sealed; one that has not is said."""
    if not os.path.lexists(folder):
        return False
    try:
        if (folder / _SEAL).read_text() == _seal(folder):
            return True
    except (OSError, UnicodeDecodeError):
        pass
    cache.damaged(folder, f"{what} compiled again")
    return False


@contextmanager
def _refilled(folder: Path) -> Iterator[Path]:
    """Give a new folder that takes the place of ``folder``, sealed, when the block ends well."""
    make_folder(folder.parent)
    with run_folder(folder.parents[1] / "new", folder) as fresh:
        try:
            yield fresh
            (fresh / _SEAL).write_text(_seal(fresh))
            remove(folder)
            fresh.rename(folder)
        except OSError as error:
            raise FileError(f"{folder}: cannot be written ({error.strerror})") from error


def _seal(folder: Path) -> str:
    """Name and SHA-256 of each file."""
    files = sorted(path for path in folder.iterdir() if path.name != _SEAL)
    return "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.name}\n" for path in files
    )
