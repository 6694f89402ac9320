"""No combinational path between ports, and no enable of registers that spans two blocks."""

from __future__ import annotations

import pytest

from fxsim.hw.emit import accelerator_verilog, memory_files, unit_memory_files, unit_verilog
from fxsim.network.storage import load_network
from fxsim.plan.planner import plan_network
from fxsim.plan.records import Waits, waits
from fxsim.spec.units import load_unit
from fxsim.testbenches.cases.samples import chain, residual
from fxsim.testbenches.test_graphs import two_ports
from tests.hw.netlists import comb_paths, enables, netlist
from tests.places import MODELS

UNITS = sorted(path.name for path in MODELS.glob("*.yaml"))
LARGE = [
    name
    for path in sorted(MODELS.glob("*/network.yaml"))
    if not (name := path.parent.name).startswith(("digits", "charlm"))
]
NETWORKS = {
    "residual": residual,
    "two ports": two_ports,
    "chain": lambda: chain(["first", "second"]),
    **{
        name: lambda name=name: load_network(MODELS / name)
        for name in ("digits-mlp-int8", "charlm-lstm-ternary")
    },
    **{name: lambda name=name: load_network(MODELS / name) for name in LARGE},
}

PATHS = """
module paths(input clk, input [1:0] a, input b, input [3:0] where, output [1:0] straight,
             output reg held, output looked_up, output sum);
  reg [0:0] words [0:15];
  reg [3:0] count;
  always @(posedge clk) begin held <= b; words[count] <= b; count <= count + 1; end
  assign straight = {held, a[0]};
  assign looked_up = words[where];
  assign sum = count[3] + a[1];
endmodule
"""


def test_paths_are_found(tmp_path):
    """Wires, reads of a memory without a clock, adders; a register ends a path."""
    found = comb_paths(netlist(PATHS, "paths", tmp_path))
    assert found == {("a", "straight"), ("where", "looked_up"), ("a", "sum")}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if n in LARGE else []) for n in NETWORKS]
)
def test_networks(name, tmp_path):
    network = NETWORKS[name]()
    memories = memory_files(network)
    module = netlist(accelerator_verilog(network), network.name, tmp_path, memories)
    assert comb_paths(module) == set()
    stalling = {b.path for b in plan_network(network).blocks if waits(b.record) is Waits.STALLS}
    for registers in enables(module).values():
        parts = (path.split(".") for path in registers)
        homes = {".".join(path[:n]) for path in parts for n in range(1, len(path) + 1)}
        assert len(homes & stalling) <= 1, registers


@pytest.mark.parametrize("name", UNITS)
def test_units(name, tmp_path):
    unit = load_unit(MODELS / name)
    module = netlist(unit_verilog(unit), unit.name, tmp_path, unit_memory_files(unit))
    assert comb_paths(module) == set()
