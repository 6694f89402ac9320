"""Run a Yosys script by pyosys, in a process of its own: its output and its crashes stay there.

``python -m fxsim.hw.tools.yosys SCRIPT`` does it for users who have no ``yosys``; ``-p COMMANDS``
takes the commands themselves, separated by semicolons.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fxsim.tools import read_output, run_tool

SCRIPT, LOG = "script.ys", "yosys.log"
_PROGRAM = Path(__file__).with_name("yosys_script.py").resolve()


def run_yosys(script: str, folder: Path) -> None:
    """Run ``script`` in ``folder``; the log is left there as ``yosys.log``.

    Raises
    ------
    MissingToolError
        If pyosys is not installed, or with Yosys' last line if the script fails.
    """
    (folder / SCRIPT).write_text(script)
    run_tool("Yosys", [sys.executable, "-P", str(_PROGRAM), SCRIPT], folder, folder / LOG)


def read_netlist(path: Path) -> dict[str, Any]:
    """Modules of a netlist that Yosys has written, by name.

    Raises
    ------
    MissingToolError
        If there is none.
    """
    modules: dict[str, Any] = read_output("Yosys", path, path.with_name(LOG))["modules"]
    return modules


def main(arguments: Sequence[str]) -> int:
    """Run Yosys as its own command line does, with its log on stdout; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m fxsim.hw.tools.yosys", description=main.__doc__
    )
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument("script", nargs="?", type=Path, help="File of commands, one a line.")
    given.add_argument("-p", dest="commands", help="Commands, separated by semicolons.")
    wanted = parser.parse_args(arguments)
    if wanted.script and not wanted.script.is_file():
        parser.error(f"{wanted.script}: not found")
    with tempfile.NamedTemporaryFile("w", suffix=".ys") as file:
        file.write((wanted.commands or "").replace(";", "\n"))
        file.flush()
        script = wanted.script or Path(file.name)
        return subprocess.run(
            [sys.executable, "-P", str(_PROGRAM), str(script)], check=False
        ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
