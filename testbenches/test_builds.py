"""Builds of simulations: what Verilator brings along is compiled once for all of them."""

from __future__ import annotations

from fxsim.testbenches.bench.simulators import find_simulator
from fxsim.testbenches.builds import build


def test_objects_of_verilator_are_shared() -> None:
    verilator = find_simulator("verilator")
    for top in ("first", "second"):
        made = build(verilator, f"module {top}(input clk); endmodule\n", top, quick=True)
    log = (made.folder / "build.log").read_text()
    assert " verilated.o " in log  # linked
    assert "-o verilated.o " not in log
