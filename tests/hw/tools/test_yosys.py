"""Yosys for those who have no ``yosys``: its log on stdout, its status as the exit status."""

from __future__ import annotations

import subprocess
import sys

import pytest

ADDER = "module top(input [3:0] a, b, output [3:0] y); assign y = a + b; endmodule"


def yosys(*arguments, folder):
    command = [sys.executable, "-P", "-m", "fxsim.hw.tools.yosys", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def adder(tmp_path):
    """Folder with a design."""
    (tmp_path / "adder.v").write_text(ADDER)
    return tmp_path


@pytest.mark.parametrize("form", ["file", "text"])
def test_commands_run_where_the_user_is(form, adder):
    commands = ["read_verilog adder.v", "synth_ice40 -top top", "stat", "write_json out.json"]
    (adder / "script.ys").write_text("\n".join(commands))
    arguments = ["script.ys"] if form == "file" else ["-p", "; ".join(commands)]
    done = yosys(*arguments, folder=adder)
    assert done.returncode == 0
    assert "SB_CARRY" in done.stdout
    assert (adder / "out.json").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-p", "no_such"], "ERROR: No such command: no_such"),
        (["none.ys"], "none.ys: not found"),
        ([], "one of the arguments script -p is required"),
        (["a.ys", "-p", "stat"], "not allowed with argument"),
    ],
)
def test_failures_are_told_without_a_traceback(arguments, message, adder):
    done = yosys(*arguments, folder=adder)
    assert done.returncode != 0
    assert message in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
