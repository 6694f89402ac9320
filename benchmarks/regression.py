"""Clock cycles a second of the regression: ``python -m benchmarks.regression``.

Against the bare device, without any bench around it: the Verilator model in a C++ loop that feeds
it random words, and on Icarus a clock and random words. Next to them the bench in Python. Wall time
of whole runs less that of a run of one vector, so without start-up; interleaved, medians; writes a
table to docs/performance.md.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.timing import machine, publish
from fxsim import data
from fxsim.hw import emit
from fxsim.network import QuantizedNetwork
from fxsim.network.storage import load_network
from fxsim.shipped import models_folder
from fxsim.simulator.inputs import as_input
from fxsim.simulator.simulator import simulate_trace
from fxsim.testbenches.accelerator import accelerator_job
from fxsim.testbenches.bench.simulators import Simulator, find_simulator
from fxsim.testbenches.builds import tool_environment
from fxsim.testbenches.run import run
from fxsim.timing.cycles import predict

NETWORKS = (
    "digits-mlp-ternary",
    "handwriting-lenet-ternary",
    "handwriting-residual-ternary",
    "house-numbers-cnn-ternary",
    "charlm-lstm-int8",
)
MAIN = """
#include "Vbare.h"
#include "verilated.h"
#include <chrono>
#include <cstdio>
#include <cstdlib>
template <class T> void set(T& port, uint32_t value) { port = value; }
template <std::size_t N> void set(VlWide<N>& port, uint32_t value) {
  for (std::size_t k = 0; k < N; k++) port[k] = value;
}
int main(int argc, char** argv) {
  Vbare dut;
  const long cycles = std::atol(argv[1]);
  uint32_t bits = 1;
  dut.aresetn = 0;
  dut.s_axis_tvalid = dut.m_axis_tready = 1;
  const auto start = std::chrono::steady_clock::now();
  for (long k = 0; k < cycles; k++) {
    dut.aresetn = k > 3;
    bits ^= bits << 13; bits ^= bits >> 17; bits ^= bits << 5;
    set(dut.s_axis_tdata, MASK);
    dut.aclk = 1; dut.eval();
    dut.aclk = 0; dut.eval();
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  std::printf("%f\\n", took.count());
}
"""
CLOCK = """
module bare;
  reg clk = 0, aresetn = 0;
  reg [WIDTH-1:0] data = 0;
  DEVICE dut(.aclk(clk), .aresetn(aresetn), .s_axis_tdata(data), .s_axis_tvalid(1'b1),
    .m_axis_tready(1'b1));
  integer left;
  initial begin
    if (!$value$plusargs("cycles=%d", left)) left = 0;
    while (left > 0) begin
      #5 clk = 1; data <= $random; aresetn <= left > 3;
      #5 clk = 0; left = left - 1;
    end
    $finish;
  end
endmodule
"""


class Subject:
    """A network, its Verilog, and a folder to build it in."""

    def __init__(self, name: str, folder: Path):
        self.network: QuantizedNetwork = load_network(models_folder() / name)
        self.folder = folder
        self.memories = emit.memory_files(self.network)
        self.verilog = emit.accelerator_verilog(self.network)
        self.samples = as_input(self.network, data.load(self.network.data).test.x)
        for memory, text in self.memories.items():
            (folder / memory).write_text(text)
        (folder / "bare.v").write_text(self.verilog)

    def bare_verilator(self) -> Callable[[int], float]:
        """Seconds of a number of cycles in a C++ loop."""
        lanes = accelerator_job(self.network, simulate_trace(self.network, self.samples[:1]))
        width = min(lanes.devices[0].source.width, 32)
        main = MAIN.replace("MASK", f"bits & {(1 << width) - 1}u")
        (self.folder / "main.cpp").write_text(main)
        found = find_simulator("verilator")
        with tool_environment(found.environment):
            subprocess.run(
                [
                    *("verilator", "--cc", "--exe", "--build", "-Wno-fatal", "-j", "2"),
                    *("--x-initial", "unique", "--prefix", "Vbare", "--top", self.network.name),
                    *("-o", "bare", "bare.v", "main.cpp"),
                ],
                cwd=self.folder,
                check=True,
                capture_output=True,
            )

        def seconds(cycles: int) -> float:
            command = ["obj_dir/bare", str(cycles)]
            done = subprocess.run(command, cwd=self.folder, capture_output=True, check=True)
            return float(done.stdout)

        return seconds

    def bare_icarus(self) -> Callable[[int], float]:
        """Seconds of a number of cycles with a clock alone, less those of none."""
        source = (
            accelerator_job(self.network, simulate_trace(self.network, self.samples[:1]))
            .devices[0]
            .source
        )
        text = re.sub("WIDTH", str(source.width), CLOCK).replace("DEVICE", self.network.name)
        (self.folder / "clock.v").write_text(text)
        command = ["iverilog", "-g2005", "-s", "bare", "-o", "bare.vvp", "clock.v", "bare.v"]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)

        def once(cycles: int) -> float:
            start = time.perf_counter()
            command = ["vvp", "-n", "bare.vvp", f"+cycles={cycles}"]
            subprocess.run(command, cwd=self.folder, check=True, capture_output=True)
            return time.perf_counter() - start

        return lambda cycles: once(cycles) - once(0)

    def regression(self, simulator: Simulator, bench: str) -> Callable[[int], tuple[int, float]]:
        """Cycles, about as many as wanted, and their seconds."""
        interval = predict(self.network).interval
        steps = self.samples.shape[1] if self.network.recurrent else 1

        def once(count: int) -> tuple[int, float]:
            x = np.resize(self.samples, (count, *self.samples.shape[1:]))
            job = accelerator_job(self.network, simulate_trace(self.network, x), patterns=["none"])
            with tempfile.TemporaryDirectory() as folder:
                seen = run(
                    *(simulator, self.verilog, self.network.name, job, Path(folder)),
                    memories=self.memories,
                    bench=bench,
                )
            assert seen.ok, seen.messages
            return seen.cycles, seen.seconds

        def timed(cycles: int) -> tuple[int, float]:
            count = max(2, round(cycles / interval / steps))
            (few, short), (many, long) = once(1), once(count)
            return many - few, long - short

        return timed


def rates(subject: Subject, name: str, repeats: int, cycles: dict[str, int]) -> dict[str, float]:
    """Cycles a second, by the bench."""
    simulator = find_simulator(name)
    bare = subject.bare_verilator() if name == "verilator" else subject.bare_icarus()
    benches = {bench: subject.regression(simulator, bench) for bench in ("verilog", "python")}
    found: dict[str, list[float]] = {"bare": [], "verilog": [], "python": []}
    for _ in range(repeats):
        found["bare"].append(cycles["bare"] / bare(cycles["bare"]))
        for bench, timed in benches.items():
            seen, seconds = timed(cycles[bench])
            found[bench].append(seen / seconds)
    return {bench: median(values) for bench, values in found.items()}


CYCLES = {
    "verilator": {"bare": 1_000_000, "verilog": 1_000_000, "python": 10_000},
    "icarus": {"bare": 3_000, "verilog": 3_000, "python": 3_000},
}


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--network", action="append", help="default: five that ship")
    parser.add_argument("--sim", action="append", help="default: both")
    options = parser.parse_args()
    os.environ["FXSIM_THREADS"] = "1"
    lines = [
        f"{machine()}; clock cycles a second.",
        "",
        "| network | simulator | bare | bench in Verilog | of bare | bench in Python | gain |",
        "|---|---|---|---|---|---|---|",
    ]
    facts = {}
    for name in options.network or NETWORKS:
        with tempfile.TemporaryDirectory() as folder:
            subject = Subject(name, Path(folder))
            for simulator in options.sim or ("verilator", "icarus"):
                found = rates(subject, simulator, options.repeats, CYCLES[simulator])
                facts[f"{name} {simulator}"] = found
                share, gain = (found["verilog"] / found[k] for k in ("bare", "python"))
                cells = [f"{found[k]:,.0f}" for k in ("bare", "verilog", "python")]
                lines.append(
                    f"| {name} | {simulator} | {cells[0]} | {cells[1]} | {share:.2f} |"
                    f" {cells[2]} | {gain:.1f} |"
                )
                print(lines[-1], flush=True)
    publish("regression", "\n".join(lines), {"cycles_per_s": facts})


if __name__ == "__main__":
    main()
