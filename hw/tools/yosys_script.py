"""Run a Yosys script by pyosys; a program that `fxsim.hw.tools.yosys` starts by its path.

It imports nothing of fxsim, so it works wherever fxsim was found.
"""

import ctypes
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def main(script: str) -> None:
    """Run the commands of a file, one a line."""
    try:
        from pyosys import libyosys
    except ImportError:
        sys.exit("pyosys is not installed; install it with: pip install 'fxsim[sim]'")
    design = libyosys.Design()
    for line in Path(script).read_text().splitlines():
        libyosys.run_pass(line, design)


if __name__ == "__main__":
    if sys.platform == "linux":  # end with the command, also if that is killed
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    main(sys.argv[1])
