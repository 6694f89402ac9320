"""Commands that are interrupted, terminated or killed: nothing runs on, and nothing stays."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from fxsim.network.storage import save_network
from tests.caches import own_cache
from tests.commands import TERNARY, fxsim_process, small_network

SLEEPER = f"""#!{sys.executable}
import os, pathlib, subprocess, sys, time
below = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
pathlib.Path(os.environ["TMPDIR"], "left").touch()
pathlib.Path({{marker!r}}).touch()
time.sleep(60)
"""
"""A tool that starts another, leaves a temporary file, and hangs."""


def start(*arguments: object, folder: Path, **variables: str) -> subprocess.Popen[str]:
    """A command in a session of its own, as from a terminal."""
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    code += "from fxsim.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def session(number: int, seconds: float = 3) -> list[str]:
    """Processes of a session that still run after some seconds."""
    for _ in range(round(10 * seconds)):
        found = []
        for process in psutil.process_iter():
            try:
                if os.getsid(process.pid) == number and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(" ".join(process.cmdline()))
            except (psutil.Error, ProcessLookupError):
                continue
        if not found:
            return []
        time.sleep(0.1)
    return found


def temporary(folder: Path) -> list[str]:
    """Temporary files below ``folder`` but for locks."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return [str(path) for path in files if path.name != "lock"]


def wait_for(path: Path) -> None:
    for _ in range(600):
        if path.exists():
            return
        time.sleep(0.05)
    raise AssertionError(f"{path} never came")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Folder with a small network, a cache and an empty folder of temporary files."""
    save_network(small_network(), tmp_path / "little")
    own_cache(tmp_path / "cache")
    (tmp_path / "tmp").mkdir()
    (tmp_path / "bin").mkdir()
    return tmp_path


def variables(place: Path) -> dict[str, str]:
    return {
        "FXSIM_CACHE": str(place / "cache"),
        "TMPDIR": str(place / "tmp"),
        "PATH": f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}",
    }


@pytest.mark.parametrize("tool", ["iverilog", "vvp"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_processes_end_with_the_command(number: int, tool: str, place: Path) -> None:
    """Also those that a tool has started; the next command finds nothing of them."""
    program = place / "bin" / tool
    text = SLEEPER.format(marker=str(place / "started"))
    if tool == "iverilog":  # says its version
        text = text.replace("below =", "if '-V' in sys.argv: sys.exit('Icarus 12.0')\nbelow =")
        text = text.replace("sys.exit('Icarus 12.0')", "print('Icarus 12.0') or sys.exit()")
    program.write_text(text)
    program.chmod(0o755)
    command = ("verify", "little", "--sim", "icarus", "--vectors", "2", "-o", "out")
    process = start(*command, folder=place, **variables(place))
    wait_for(place / "started")
    process.send_signal(number)
    said = process.communicate(timeout=30)[1].splitlines()
    assert said[-1] == f"error: ended by {signal.Signals(number).name}"
    assert not any("Traceback" in line for line in said)
    assert process.returncode == 128 + number
    assert session(process.pid) == []
    assert temporary(place / "tmp") == []
    assert not (place / "out" / "icarus" / "job.json").exists()


def test_a_killed_command_leaves_nothing_for_the_one_after_the_next(place: Path) -> None:
    program = place / "bin" / "vvp"
    program.write_text(SLEEPER.format(marker=str(place / "started")))
    program.chmod(0o755)
    command = ("verify", "little", "--sim", "icarus", "--vectors", "2", "-o", "out")
    process = start(*command, folder=place, **variables(place))
    wait_for(place / "started")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert temporary(place / "tmp")
    program.unlink()
    done = fxsim_process(*command, cwd=place, env={**os.environ, **variables(place)})
    assert done.returncode == 0, done.stderr
    assert temporary(place / "tmp") == []
    assert [path.name for path in (place / "out" / "icarus" / ".fxsim").iterdir()] == [
        *("lock", "verify.json")
    ]


COMMANDS = {
    "codesign": ("codesign", TERNARY, "--vectors", "2", "-o", "all"),
    "verify": ("verify", "little", "--vectors", "2", "-o", "out"),
    "synth": ("synth", "little", "--target", "xc7", "-o", "area"),
    "explore": ("explore", TERNARY, "-j", "2", "--method", "random", "--budget", "20"),
}


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_ends_at_any_moment(command: tuple[str, ...], place: Path) -> None:
    """Nothing runs on or stays, whichever of the three signals comes, and when."""
    rng = random.Random(1)
    for number in [signal.SIGINT, signal.SIGTERM] * 3 + [signal.SIGKILL] * 3:
        process = start(*command, folder=place, **variables(place))
        time.sleep(rng.uniform(0.5, 20))
        process.send_signal(number)
        said = process.communicate(timeout=60)[1]
        assert "Traceback" not in said
        killed = number == signal.SIGKILL  # a compiler comes to its end
        assert session(process.pid, seconds=60 if killed else 3) == [], number
        assert killed or temporary(place / "tmp") == []
        for store in place.glob("*.sqlite*"):
            store.unlink()
    last = ("generate", "little", "-o", "rtl")
    done = fxsim_process(*last, cwd=place, env={**os.environ, **variables(place)})
    assert done.returncode == 0, done.stderr
    assert temporary(place / "tmp") == []
