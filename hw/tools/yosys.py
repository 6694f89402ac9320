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

from fxsim.errors import MissingToolError

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
    with (folder / LOG).open("w") as log:
        status = subprocess.run(
            [sys.executable, "-P", str(_PROGRAM), SCRIPT],
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    if status != 0:
        lines = (folder / LOG).read_text().split("\n")
        last = next((line for line in reversed(lines) if line.strip()), f"exit status {status}")
        raise MissingToolError(f"Yosys failed: {last}")


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
