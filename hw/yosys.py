"""Run a Yosys script by pyosys, in a process of its own: its output and its crashes stay there."""

import subprocess
import sys
from pathlib import Path

from fxsim.errors import MissingToolError


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
            [sys.executable, "-P", "-m", "hw.yosys", "script.ys"],
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    if status != 0:
        lines = (folder / "yosys.log").read_text().split("\n")
        last = next((line for line in reversed(lines) if line.strip()), f"exit status {status}")
        raise MissingToolError(f"Yosys failed: {last}")


def _main(script: str) -> None:
    try:
        from pyosys import libyosys
    except ImportError:
        sys.exit("pyosys is not installed; install it with: pip install 'fxsim[sim]'")
    design = libyosys.Design()
    for line in Path(script).read_text().splitlines():
        libyosys.run_pass(line, design)


if __name__ == "__main__":
    _main(sys.argv[1])
