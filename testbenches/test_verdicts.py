"""A verdict belongs to the network it is given for, whatever runs at the same time."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from fxsim.cli.runs import check_runs
from fxsim.errors import FileError, MismatchError
from fxsim.hw import emit
from fxsim.hw.emit import accelerator_verilog
from fxsim.network import QuantizedNetwork
from fxsim.network.storage import save_network
from fxsim.simulator.simulator import simulate_trace
from fxsim.testbenches import run as run_module
from fxsim.testbenches.accelerator import accelerator_job
from fxsim.testbenches.bench.job import Job
from fxsim.testbenches.bench.outcome import JOB, Subject, digest_of
from fxsim.testbenches.bench.simulators import find_simulator
from fxsim.testbenches.builds import build
from fxsim.testbenches.cases.samples import chain, random_inputs
from fxsim.testbenches.run import RunResult, run
from tests.caches import own_cache
from tests.commands import fxsim_cli, small_network
from tests.flips import with_flipped_weight
from tests.messages import raises

SUBJECT = Subject(digest_of("a job"), digest_of("module"))


def broken(verilog: str) -> str:
    """Verilog with one bit of a weight flipped."""
    return with_flipped_weight(verilog)


# An outcome is taken for that of its job and its Verilog, and for no other.


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Folder of a job with its outcome."""
    (tmp_path / JOB).write_text("a job")
    SUBJECT.write(tmp_path, {"pattern": "none", "wrong": 0})
    return tmp_path


def test_an_outcome_is_read_back(folder: Path) -> None:
    assert SUBJECT.read(folder, "none") == {"pattern": "none", "wrong": 0}
    assert SUBJECT.read(folder, "both") is None


@pytest.mark.parametrize("name", ["job", "verilog", "pattern"])
def test_an_outcome_of_something_else_is_refused(name: str, folder: Path) -> None:
    path = folder / "outcome_none.json"
    value = json.loads(path.read_text())
    path.write_text(json.dumps(value | {name: digest_of("other")}))
    with pytest.raises(
        FileError, match=rf"outcome_none\.json: {name} must be .*, not {digest_of('other')}"
    ):
        SUBJECT.read(folder, "none")
    path.write_text(json.dumps({key: value[key] for key in value if key != name}))
    with pytest.raises(FileError, match=rf"outcome_none\.json: not an outcome .*{name}"):
        SUBJECT.read(folder, "none")


def test_an_old_outcome_is_refused(folder: Path) -> None:
    time = (folder / JOB).stat().st_mtime_ns - 1
    os.utime(folder / "outcome_none.json", ns=(time, time))
    with pytest.raises(FileError, match=r"outcome_none\.json: is older than its job\.json"):
        SUBJECT.read(folder, "none")


def job_of(network: QuantizedNetwork) -> Job:
    """Four vectors for a network."""
    return accelerator_job(network, simulate_trace(network, random_inputs(network, 4)))


def regression(folder: Path, verilog: str | None = None) -> RunResult:
    """Run a job of a network of two layers on Icarus."""
    network = chain(["layer0", "layer1"])
    job = job_of(network)
    verilog = verilog or accelerator_verilog(network)
    return run(find_simulator("icarus"), verilog, network.name, job, folder)


def test_a_run_of_other_verilog_is_no_verdict(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The simulator says what it was compiled from: here the honest network for a broken one."""
    network = chain(["layer0", "layer1"])
    design = run_module.design_of(job_of(network), accelerator_verilog(network), network.name)
    honest = build(find_simulator("icarus"), design.verilog, design.top, public=False)
    assert regression(tmp_path).ok
    assert not regression(tmp_path, broken(accelerator_verilog(network))).ok
    monkeypatch.setattr(run_module, "ready", lambda *_, **__: nullcontext(honest))
    with pytest.raises(FileError, match=r"outcome_none\.json: verilog must be"):
        regression(tmp_path, broken(accelerator_verilog(network)))


def test_a_run_of_another_job_is_no_verdict(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A job that was changed on its way to the simulator."""
    simulate = run_module._simulate

    def other_job(*run: Any) -> Any:
        folder = run[-1]
        text = (folder / JOB).read_text()
        (folder / JOB).write_text(text.replace('"seed": 1', '"seed": 2'))
        return simulate(*run)

    monkeypatch.setattr(run_module, "_simulate", other_job)
    with pytest.raises(FileError, match=r"outcome_none\.json: job must be"):
        regression(tmp_path)


def test_passed_tests_without_an_outcome_are_no_verdict(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    simulate = run_module._simulate

    def lost(*run: Any) -> Any:
        folder = run[-1]
        seconds = simulate(*run)
        (folder / "outcome_both.json").unlink()
        return seconds

    monkeypatch.setattr(run_module, "_simulate", lost)
    with pytest.raises(FileError, match="tests passed, but not every pattern has an outcome"):
        regression(tmp_path)


def _cut(times: list[int]) -> None:
    del times[-1]


@pytest.mark.parametrize(
    ("pattern", "forge", "message"),
    [
        ("both", lambda outcome: outcome.update(words=0), "'both' has 0 words, not 72"),
        ("none", lambda outcome: outcome.update(words=71), "'none' has 71 words, not 72"),
        (
            "none",
            lambda outcome: outcome.update(devices=[]),
            "'none' has 0 times at the input of device 0, not 8",
        ),
        (
            "none",
            lambda outcome: outcome["devices"][0]["inputs"].clear(),
            "'none' has 0 times at the input of device 0, not 8",
        ),
        (
            "slow_sink",
            lambda outcome: _cut(outcome["devices"][0]["outputs"]),
            "'slow_sink' has 23 times at output 1 of device 0, not 24",
        ),
    ],
)
def test_an_outcome_that_lacks_words_is_no_verdict(
    pattern: str,
    forge: Callable[[dict[str, Any]], object],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Passed tests that have not seen every word, or not when it passed."""
    simulate = run_module._simulate

    def forged(*run: Any) -> Any:
        folder = run[-1]
        seconds = simulate(*run)
        path = folder / f"outcome_{pattern}.json"
        value = json.loads(path.read_text())
        forge(value)
        path.write_text(json.dumps(value))
        return seconds

    monkeypatch.setattr(run_module, "_simulate", forged)
    with pytest.raises(FileError, match=f"tests passed, but the outcome of pattern {message}"):
        regression(tmp_path)


def test_a_simulator_that_dies_is_no_verdict(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    regression(tmp_path)  # builds
    program = tmp_path / "vvp"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    found = regression(tmp_path / "out")
    said = "the simulator ended without results: it failed: exit status 3"
    assert found.messages == [said, "4 of 4 tests did not run"]
    assert not found.ok
    assert not found.complete
    assert found.report == tmp_path / "out" / "run.log"
    assert found.report.exists()
    with raises(MismatchError, f"icarus: {said} (see {found.report})"):
        check_runs([found])


# Races: commands with the name of one network, the Verilog of another, into one folder.

COMMAND = """
import re, sys
from fxsim.hw import emit
if sys.argv.pop(1) == "broken":
    from fxsim.testbenches.test_verdicts import broken
    right = emit.accelerator_verilog
    emit.accelerator_verilog = lambda network: broken(right(network))
from fxsim.cli import main
main()
"""


def race(
    rounds: int, folder: Path, simulators: Sequence[str], at_once: int = 2
) -> Iterator[tuple[str, int, str]]:
    """Run broken and honest networks of one name at once; return status, kind and output."""
    save_network(small_network(), folder / "little")
    options = [part for name in simulators for part in ("--sim", name)]
    command = ["verify", folder / "little", *options, "--vectors", 20, "-o", folder / "out"]
    for _ in range(rounds):
        runs = {
            kind + str(k): subprocess.Popen(
                [sys.executable, "-c", COMMAND, kind, *map(str, command)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for k in range(at_once // 2)
            for kind in ("broken", "honest")
        }
        for name, process in runs.items():
            out, err = process.communicate()
            yield name[:6], process.returncode, out + err


def check(kind: str, status: int, text: str) -> None:
    """The broken network is found out, the honest one is not, and nothing else is said."""
    errors = re.findall(r"^error: (.*)$", text, re.MULTILINE)
    assert "Traceback" not in text
    if kind == "honest":
        assert (status, errors) == (0, [])
    else:
        assert status == 1, text
        assert len(errors) == 1
        assert ": layer first, vector" in errors[0]


def whole(folder: Path) -> None:
    """A folder of logs is that of one run: its outcomes belong to its job."""
    outcomes = [json.loads(path.read_text()) for path in folder.glob("outcome_*.json")]
    assert len(outcomes) == 4
    assert {outcome["job"] for outcome in outcomes} == {digest_of((folder / JOB).read_text())}
    assert len({outcome["verilog"] for outcome in outcomes}) == 1


@pytest.fixture
def small_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Builds are part of the race."""
    monkeypatch.setenv(*own_cache(tmp_path / "cache"))


@pytest.mark.usefixtures("small_cache")
def test_two_at_once(tmp_path: Path) -> None:
    for found in race(2, tmp_path, ["icarus"]):
        check(*found)
    whole(tmp_path / "out" / "icarus")


@pytest.mark.slow
@pytest.mark.usefixtures("small_cache")
@pytest.mark.parametrize("simulators", [["icarus"], ["icarus", "verilator"]])
def test_many_at_once(simulators: list[str], tmp_path: Path) -> None:
    for found in race(5, tmp_path, simulators, at_once=4):
        check(*found)
    for name in simulators:
        whole(tmp_path / "out" / name)


@pytest.mark.parametrize("kind", ["honest", "broken"])
def test_a_verdict_is_told_although_its_files_cannot_be_written(
    kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file of the user appears while the simulator runs."""
    simulate = run_module._simulate

    def meanwhile(*run: Any) -> Any:
        (tmp_path / "out" / "icarus" / "run.log").write_text("mine")
        return simulate(*run)

    monkeypatch.setattr(run_module, "_simulate", meanwhile)
    if kind == "broken":
        right = emit.accelerator_verilog
        monkeypatch.setattr(emit, "accelerator_verilog", lambda network: broken(right(network)))
    save_network(small_network(), tmp_path / "little")
    options = ("--sim", "icarus", "--vectors", 3, "-o", tmp_path / "out")
    said = fxsim_cli("verify", tmp_path / "little", *options, status=1)
    path = tmp_path / "out" / "icarus" / "run.log"
    reason = "exists, and fxsim did not write it; move it away, or give another folder"
    (error,) = [line for line in said.stderr.splitlines() if line.startswith("error")]
    if kind == "honest":
        assert error == f"error: {path}: {reason}"
    else:
        assert error.startswith("error: icarus: layer first, vector 1, ")
        assert error.endswith(f"({path}: {reason})")
    (row,) = [line for line in said.stdout.splitlines() if line.startswith("icarus")]
    assert (row.split()[5] == "0") == (kind == "honest"), row  # mismatches
    assert "results.xml" not in said.stdout
    assert path.read_text() == "mine"


def test_files_of_the_user_stay(tmp_path: Path) -> None:
    mine = tmp_path / "icarus" / "mine.hex"
    mine.parent.mkdir()
    mine.write_text("mine")
    for _ in range(2):
        assert regression(tmp_path / "icarus").ok
    assert mine.read_text() == "mine"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / JOB).write_text("mine")
    with pytest.raises(FileError, match=r"other/job\.json: exists, and fxsim did not write it"):
        regression(tmp_path / "other")
    assert [path.read_text() for path in (tmp_path / "other").glob("*.json")] == ["mine"]
