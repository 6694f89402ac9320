"""Run a Yosys script by pyosys, in a process of its own: its output and its crashes stay there."""

import subprocess
import sys
from pathlib import Path

from fxsim.errors import MissingToolError

_PROGRAM = Path(__file__).with_name("yosys_script.py").resolve()


def run_yosys(script: str, folder: Path) -> None:
    """Run ``script`` in ``folder``; the log is left there as ``yosys.log``.

    Raises
    ------
    MissingToolError
        If pyosys is not installed, or with Yosys' last line if the script fails.
    """
    (folder / "script.ys").write_text(script)
    with (folder / "yosys.log").open("w") as log:
        status = subprocess.run(
            [sys.executable, "-P", str(_PROGRAM), "script.ys"],
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    if status != 0:
        lines = (folder / "yosys.log").read_text().split("\n")
        last = next((line for line in reversed(lines) if line.strip()), f"exit status {status}")
        raise MissingToolError(f"Yosys failed: {last}")
