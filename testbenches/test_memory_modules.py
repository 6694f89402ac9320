"""Memories of one's own in place of fxsim's: all that a design may expect of them is in a comment.

Those here are as unkind as that allows: unknown after power-up, and unknown where what is read does
not matter. Icarus knows what is unknown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fxsim.hw import emit
from fxsim.hw.tools.yosys import run_yosys
from fxsim.plan.memories import memories
from fxsim.plan.planner import plan_network
from fxsim.testbenches import test_backward, test_blocks, test_mac_unit, test_sparse, units
from fxsim.testbenches.bench.job import PATTERNS
from fxsim.testbenches.bench.simulators import find_simulator
from fxsim.testbenches.cases.blocks import bank_job
from fxsim.testbenches.cases.samples import chain, random_inputs
from fxsim.testbenches.cases.sparse import SparseCase
from fxsim.testbenches.run import run
from fxsim.testbenches.verify import verify
from tests.declared import declared_memories

UNKIND = """
`define NAME
module NAME #(
  parameter FILE = "", parameter WIDTH = 1, parameter DEPTH = 1, parameter ADDRESS = 1,
  parameter COLLISION = "any"
) (
  input clk, input write, input [ADDRESS-1:0] write_address, input [WIDTH-1:0] write_data,
  input read, input [ADDRESS-1:0] read_address, output reg [WIDTH-1:0] read_data
);
  reg [WIDTH-1:0] words [0:DEPTH-1];
  wire both = write && write_address == read_address;
  always @(posedge clk) begin
    if (write) words[write_address] <= write_data;
    if (read) read_data <= words[read_address];
    if (read && both && COLLISION == "new") read_data <= write_data;
    if (read && both && COLLISION == "any") read_data <= {WIDTH{1'bx}};
  end
endmodule
"""
FORGETFUL = UNKIND.replace('COLLISION == "any"', "1")
"""A memory that never knows of a word that is written."""


def with_own(verilog: str, top: str, module: str = UNKIND) -> str:
    names = re.findall(rf"^module ({top}__ram\w*)", verilog, re.MULTILINE)
    assert names
    return "".join(module.replace("NAME", name) for name in names) + verilog


@pytest.mark.parametrize("top", ["vector_buffer", "queue", "window", "add", "resize_image"])
def test_blocks_with_memories_of_ones_own(top: str, tmp_path: Path) -> None:
    cases, verilog = test_blocks.cases_of(top)
    job = bank_job(cases, seed=11)
    result = run(find_simulator("icarus"), with_own(verilog, top), top, job, tmp_path)
    assert result.messages == []
    assert result.tests == len(PATTERNS)


@pytest.mark.parametrize(
    ("name", "cases_of"), [("sparse", test_sparse.cases_of), ("backward", test_backward.cases_of)]
)
def test_units_with_memories_of_ones_own(
    name: str, cases_of: Callable[[str], tuple[list[SparseCase], str]], tmp_path: Path
) -> None:
    cases, verilog = cases_of("units")
    settle = test_backward.SETTLE if name == "backward" else 0
    job = replace(bank_job(cases, seed=21), patterns=["none", "both"], settle=settle)
    result = run(find_simulator("icarus"), with_own(verilog, name), name, job, tmp_path)
    assert result.messages == []
    assert result.tests == 2


@pytest.mark.parametrize("which", ["loaded columns", "loaded block"])
def test_a_loadable_unit_with_memories_of_ones_own(
    which: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What is in its weight memory after power-up is not asked for."""
    unit = test_mac_unit.small(tmp_path, test_mac_unit.SMALL[which])
    verilog = with_own(emit.unit_verilog(unit), unit.name)
    monkeypatch.setattr(units, "unit_verilog", lambda _: verilog)
    assert test_mac_unit.verified(unit, tmp_path, patterns=["none", "both"]).messages == []


def test_a_promise_that_is_not_kept_is_noticed(tmp_path: Path) -> None:
    cases, verilog = test_sparse.cases_of("units")
    job = replace(bank_job(cases, seed=21), patterns=["none"])
    broken = with_own(verilog, "sparse", FORGETFUL)
    assert not run(find_simulator("icarus"), broken, "sparse", job, tmp_path).ok


def test_a_network_with_memories_of_ones_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    network = chain(["layer0", "layer1", "layer2"])
    verilog = with_own(emit.accelerator_verilog(network), network.name)
    assert sum(declared_memories(verilog).values()) > 3
    monkeypatch.setattr(emit, "accelerator_verilog", lambda _: verilog)
    inputs = {"icarus": random_inputs(network, 20)}
    (result,) = verify(network, vectors=inputs, seed=3, folder=tmp_path)
    assert result.messages == []


def test_a_flow_for_asics_has_boxes_and_gates(tmp_path: Path) -> None:
    """Yosys without an FPGA: an instance for each memory that is written, and no other memory."""
    network = chain(["layer0", "layer1"])
    verilog = emit.accelerator_verilog(network)
    ports = re.search(rf"^module {network.name}__ram #\(.*?^\);", verilog, re.MULTILINE | re.DOTALL)
    assert ports is not None
    (tmp_path / "box.v").write_text(f"{ports[0]}\nendmodule\n")
    (tmp_path / "design.v").write_text(verilog)
    script = [
        "read_verilog -lib box.v",
        f"read_verilog -D {network.name}__ram design.v",
        f"synth -top {network.name} -flatten",
        f"tee -q -o stat.json stat -json -top {network.name}",
    ]
    run_yosys("\n".join(script), tmp_path)
    cells = json.loads((tmp_path / "stat.json").read_text())["design"]["num_cells_by_type"]
    written = [memory for memory in memories(plan_network(network)) if not memory.constant]
    assert cells.pop(f"{network.name}__ram") == sum(memory.count for memory in written) == 2
    assert all(re.fullmatch(r"\$_[A-Z0-9]+_([A-Z0-9]+_)?|\$scopeinfo", name) for name in cells)


@pytest.mark.parametrize("top", ["vector_buffer", "queue", "window"])
def test_what_is_written_has_no_contents(top: str) -> None:
    """Neither words in the Verilog nor a file."""
    _, verilog = test_blocks.cases_of(top)
    instances = re.findall(rf"^  {top}__ram #\([^;]*;", verilog, re.MULTILINE)
    assert len(instances) > 3
    assert not [instance for instance in instances if ".FILE" in instance]
    assert "initial begin" not in verilog
