"""How long fresh processes take: ``python -m benchmarks.start_up``.

Wall-clock medians, on an idle machine. ``--cold`` also compiles into an empty cache: what one
``fxsim simulate`` of an MLP, of a residual image network and of an LSTM needs, and in one process
all of these with traces, the backward pass of an LSTM, and counted overflows.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.timing import machine, publish

RUN = "from fxsim.cli import main; main()"
NETWORKS = ("digits-mlp-int8", "handwriting-residual-ternary", "charlm-lstm-int8")
ALL = """
import sys, time
import numpy as np
from benchmarks.lstm_speed import contract, forward_and_backward, stack
from fxsim.cli.lookup import find_network
from fxsim.kernels.target import has_vnni
from fxsim.kernels.saturate import beat_sums, pack_beats
from fxsim.simulator import simulate, simulate_trace
from fxsim.network.storage import load_network
start = time.perf_counter()
for name in sys.argv[1:]:
    network = load_network(find_network(name))
    shape = (4, 3, *network.input.shape) if network.recurrent else (4, *network.input.shape)
    x = np.zeros(shape, np.int64)
    simulate(network, x), simulate_trace(network, x)
layer = stack(8, 1)[0]
x = np.zeros((4, 3, 8), np.int64)
forward_and_backward([contract(layer)], x, x)
if has_vnni():
    weight = pack_beats(np.ones((4, 8), np.int8), np.zeros(4, np.int64), 4, 0, -9, 8)
    x, out = np.ones((4, 8), np.uint8), np.empty((4, 4), np.int32)
    beat_sums(x, 0, weight, 4, out, True, False)
print(time.perf_counter() - start)
"""


def seconds(command: list[str], environment: dict[str, str], repeats: int) -> float:
    """Median wall-clock time of a command."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        subprocess.run([sys.executable, *command], check=True, capture_output=True, env=environment)
        times.append(time.perf_counter() - start)
    return median(times)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--cold", action="store_true", help="compile into an empty cache, too")
    options = parser.parse_args()
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        place, warm = Path(folder), dict(os.environ)
        samples = {}
        for name in NETWORKS:
            from fxsim.cli.lookup import find_network
            from fxsim.network.storage import load_network

            network = load_network(find_network(name))
            shape = (4, 3) if network.recurrent else (4,)
            samples[name] = place / f"{name}.npy"
            np.save(samples[name], np.zeros((*shape, *network.input.shape), np.int64))

        def simulate(name: str) -> list[str]:
            ends = ["--input", str(samples[name]), "--output", str(place / "y.npy")]
            return ["-c", RUN, "simulate", name, *ends]

        rows = {
            "nothing (`python -c pass`)": ["-c", "pass"],
            "`import fxsim`": ["-c", "import fxsim"],
        }
        rows["`fxsim --help`"] = ["-c", RUN, "--help"]
        rows |= {f"`fxsim simulate {name}`": simulate(name) for name in NETWORKS}
        for name, command in rows.items():
            seconds(command, warm, 1)
            figures[name] = seconds(command, warm, options.repeats)
        if options.cold:
            for name in NETWORKS:
                with tempfile.TemporaryDirectory() as cache:
                    time_taken = seconds(simulate(name), warm | {"NUMBA_CACHE_DIR": cache}, 1)
                figures[f"`fxsim simulate {name}`, empty cache"] = time_taken
            with tempfile.TemporaryDirectory() as cache:
                command = [sys.executable, "-c", ALL, *NETWORKS]
                environment = warm | {"NUMBA_CACHE_DIR": cache}
                done = subprocess.run(command, check=True, capture_output=True, env=environment)
            figures["all of it, empty cache"] = float(done.stdout)
    lines = [f"{machine()}; wall clock, a fresh process each.", "", "| | s |", "|---|---|"]
    lines += [f"| {name} | {value:.2f} |" for name, value in figures.items()]
    publish("start-up", "\n".join(lines), {"seconds": figures})


if __name__ == "__main__":
    main()
