"""Run a job on a simulator, and read what came of it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple
from xml.etree import ElementTree

from fxsim.errors import FileError, UnwrittenError
from fxsim.folders import filling, noting
from fxsim.processes import check_going_on
from fxsim.testbenches.bench.axi_lite import AccessJob
from fxsim.testbenches.bench.harness import TOP, harness
from fxsim.testbenches.bench.job import RESTART, WORDS, Job, passing
from fxsim.testbenches.bench.outcome import FOLDER, JOB, SOURCE, Subject, digest_of, file_of
from fxsim.testbenches.bench.simulators import Simulator
from fxsim.testbenches.builds import Build, ended, ready, tool_environment
from fxsim.tools import last_line

Bench = Literal["verilog", "python"]

_HARNESS = "cocotb_harness"
LONG = 100_000
"""Words that a run must have on some stream before an optimized build saves time."""

RESULTS, LOG = "results.xml", "run.log"


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """Result of a job on one simulator."""

    simulator: str
    version: str
    patterns: tuple[str, ...]
    tests: int
    failed: int
    messages: list[str]
    outcomes: list[dict[str, Any]]
    seconds: float
    xml: Path
    unwritten: UnwrittenError | None = None
    """Why the files of the run are not in their folder."""

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
        """True if tests ran, none failed, and no word differed."""
        return self.tests > 0 and self.failed == 0 and self.wrong == 0

    @property
    def report(self) -> Path:
        """File to read about the run: its results, or the log where it ended without."""
        return self.xml if self.xml.exists() else self.xml.with_name(LOG)

    @property
    def complete(self) -> bool:
        """True if there is an outcome for every pattern."""
        return len(self.outcomes) == len(self.patterns)


def files_of(patterns: Iterable[str], memories: Iterable[str] = ()) -> list[str]:
    """Names of the files that a run leaves."""
    return [JOB, WORDS, RESULTS, LOG, *map(file_of, patterns), *memories]


def run(
    simulator: Simulator,
    verilog: str,
    top: str,
    job: Job | AccessJob,
    folder: Path,
    *,
    quick: bool | None = None,
    memories: Mapping[str, str] | None = None,
    bench: Bench = "verilog",
) -> RunResult:
    """Build and run ``job``; results and logs go to ``folder`` when it has run.

    A ``quick`` build (`fxsim.testbenches.builds.build`) is made for short runs, unless ``quick``
    says which one is to be made. ``memories`` has name and text of the files that the Verilog
    reads.
    What drives and watches the device is itself Verilog, or Python, which finds the same and is
    many times slower; an `AccessJob` is always driven by Python.

    Raises
    ------
    MissingToolError
        If the simulator refuses the source, or its compiler is killed.
    FileError
        If an outcome is missing, belongs to another job or other Verilog, or has too few words, or
        ``folder`` cannot be written (`fxsim.folders.filling`). If that is found in the end, the
        result says so (``unwritten``).
    """
    folder = folder.resolve()
    lost: list[UnwrittenError] = []
    files = files_of(job.patterns, memories or ())
    with noting(lost), filling(folder, "verify", files=files) as own:
        for name, text in (memories or {}).items():
            (own / name).write_text(text)
        job.write(own)
        design = design_of(job, verilog, top, bench)
        quick = job.length < LONG if quick is None else quick
        with build_design(simulator, design, quick=quick) as made:
            seconds, ending = _simulate(simulator, made, design, job.seed, own)
        tests, messages = _read_results(own / RESULTS, ending)
        outcomes = _read_outcomes(own, job, Subject(digest_of(job.text), digest_of(design.verilog)))
    missing = len(job.patterns) - tests
    if missing:
        messages.append(f"{missing} of {len(job.patterns)} tests did not run")
    if not messages:
        _check_whole(folder, job, outcomes)
    return RunResult(
        simulator=simulator.name,
        version=simulator.version,
        patterns=tuple(job.patterns),
        tests=tests,
        failed=len(messages),
        messages=messages,
        outcomes=outcomes,
        seconds=seconds,
        xml=folder / RESULTS,
        unwritten=lost[0] if lost else None,
    )


class Design(NamedTuple):
    """What is compiled, and the module of the bench that runs it."""

    verilog: str
    top: str
    module: str


def design_of(job: Job | AccessJob, verilog: str, top: str, bench: Bench = "verilog") -> Design:
    """The Verilog of a device, with the bench around it where that is Verilog too."""
    if isinstance(job, AccessJob):
        return Design(verilog, top, "cocotb_axi_lite")
    if bench == "python":
        return Design(verilog, top, "cocotb_stream")
    return Design(f"{verilog}\n{harness(job, top)}", TOP, _HARNESS)


def build_design(
    simulator: Simulator, design: Design, *, quick: bool = False
) -> AbstractContextManager[Build]:
    """Compile a design; cocotb need not see inside of a bench in Verilog."""
    public = design.module != _HARNESS
    return ready(simulator, design.verilog, design.top, quick=quick, public=public)


class _Ran(NamedTuple):
    """Seconds that a simulation took, and how it ended if not well."""

    seconds: float
    ending: str


def _simulate(simulator: Simulator, made: Build, design: Design, seed: int, folder: Path) -> _Ran:
    """Run a design in ``folder``."""
    from cocotb_tools.runner import get_runner

    check_going_on()
    start, ending = time.perf_counter(), ""
    with tool_environment(simulator.environment):
        try:
            get_runner(simulator.name).test(
                test_module=f"fxsim.testbenches.bench.{design.module}",
                hdl_toplevel=design.top,
                hdl_toplevel_lang="verilog",
                build_dir=made.folder,
                test_dir=folder,
                results_xml=str(folder / RESULTS),
                seed=seed,
                extra_env={
                    FOLDER: str(folder),
                    SOURCE: str(made.source.resolve()),
                    "COCOTB_LOG_LEVEL": "WARNING",
                },
                timescale=("1ns", "1ns"),
                log_file=folder / LOG,
            )
        except (RuntimeError, SystemExit) as error:  # a test that failed ends this way, too
            ending = ended(error, last_line(folder / LOG))
    check_going_on()
    return _Ran(time.perf_counter() - start, ending)


def _read_outcomes(folder: Path, job: Job | AccessJob, subject: Subject) -> list[dict[str, Any]]:
    """Outcomes of the patterns that have one; the tests of the others have failed."""
    found = (subject.read(folder, pattern) for pattern in job.patterns)
    return [outcome for outcome in found if outcome is not None]


def _check_whole(folder: Path, job: Job | AccessJob, outcomes: Sequence[dict[str, Any]]) -> None:
    """Refuse passed tests whose outcomes do not have each word of the job, and when it passed."""
    if len(outcomes) < len(job.patterns):
        raise FileError(f"{folder}: tests passed, but not every pattern has an outcome")
    for outcome in outcomes:
        pattern, want, got = outcome["pattern"], job.passing, _passed(outcome)
        if pattern == RESTART:  # counts the words before each reset, too
            got["words"] = min(got["words"], want["words"])
        for name, count in want.items():
            if got.get(name) != count:
                raise FileError(
                    f"{folder}: tests passed, but the outcome of pattern {pattern!r} has"
                    f" {got.get(name, 0)} {name}, not {count}"
                )


def _passed(outcome: Mapping[str, Any]) -> dict[str, int]:
    """Times of `Job.passing` in an outcome."""
    found = {"words": outcome.get("words", 0)}
    for number, device in enumerate(outcome.get("devices", ())):
        times = [device["inputs"], device["outputs"], *device["more_outputs"]]
        found |= {passing(number, k): len(cycles) for k, cycles in enumerate(times)}
    return found


def _read_results(xml: Path, ending: str) -> tuple[int, list[str]]:
    """Number of tests, and one message for each that did not pass."""
    if not xml.exists():
        how = f": it {ending}" if ending else ""
        return 0, [f"the simulator ended without results{how}"]
    try:
        cases = list(ElementTree.parse(xml).getroot().iter("testcase"))
    except ElementTree.ParseError as error:
        return 0, [f"the simulator left damaged results ({error})"]
    messages = []
    for case in cases:
        for verdict in (*case.iter("failure"), *case.iter("error"), *case.iter("skipped")):
            text = verdict.get("error_msg") or verdict.get("message") or verdict.text or verdict.tag
            messages.append(f"{case.get('name')}: {text.strip()}")
    return len(cases), messages
