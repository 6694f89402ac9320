"""Run a Yosys script by pyosys; a program that `fxsim.hw.tools.yosys` starts by its path.

It imports nothing of fxsim, so it works wherever fxsim was found.
"""

import sys
from pathlib import Path


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
    main(sys.argv[1])
