"""Logic that a netlist fills is what nextpnr says once it has packed it.

Families that nextpnr is installed for are compared with it; Gowin's figures were written down.
"""

from __future__ import annotations

import json
import re
import subprocess

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from fxsim.cost.facts import REST, blocks_of
from fxsim.hw.emit import accelerator_verilog, memory_files
from fxsim.hw.tools.parts import synthesize_parts
from fxsim.hw.tools.pnr import find_nextpnr
from fxsim.hw.tools.synth import NETLIST, synthesize
from fxsim.hw.tools.yosys import run_yosys
from fxsim.network.storage import load_network
from fxsim.targets.gowin import packed_luts
from fxsim.targets.netlist import netlist_of
from fxsim.targets.registry import PLACED, TARGETS, find_part
from tests.commands import small_network
from tests.image_strategies import image_networks
from tests.lstm_strategies import recurrent_networks
from tests.places import MODELS
from tests.strategies import networks

OPTIONS = {
    "ice40hx1k": "--hx1k --package tq144",
    "ice40hx8k": "--hx8k --package ct256",
    "ice40up5k": "--up5k --package sg48",
    "lfe5u-25": "--25k --package CABGA381 --out-of-context",
    "lfe5u-45": "--45k --package CABGA554 --out-of-context",
    "lfe5u-85": "--85k --package CABGA756 --out-of-context",
}
PACKED = {"ice40": "ice40up5k", "ecp5": "lfe5u-85"}
"""Parts that have every kind of cell; what is packed may be more than they have."""
CELLS = {
    "ice40": ("ICESTORM_LC", "ICESTORM_LC", "ICESTORM_DSP", "ICESTORM_RAM", "SB_IO"),
    "ecp5": ("TRELLIS_COMB", "TRELLIS_FF", "MULT18X18D", "DP16KD", "TRELLIS_IO"),
}
"""Logic, registers, multipliers, block RAMs and pins, as nextpnr calls them."""

DESIGNS = {
    "gate": "(input a, b, output y); assign y = a & b;",
    "one": "(input a, b, output y, z); assign y = a & b; assign z = 1;",
    "register": "(input clk, a, output reg y); always @(posedge clk) y <= a;",
    "initial": "(input clk, a, output reg [3:0] y); initial y = 5;"
    " always @(posedge clk) y <= {y, a};",
    "shared": "(input clk, a, b, output x, output reg y); assign x = a ^ b;"
    " always @(posedge clk) y <= x;",
    "adder": "(input [7:0] a, b, output [7:0] y); assign y = a + b;",
    "carry out": "(input [7:0] a, b, output [8:0] y); assign y = a + b;",
    "carry in": "(input [7:0] a, b, input c, output [8:0] y); assign y = a + b + c;",
    "difference": "(input [7:0] a, b, output [8:0] y); assign y = a - b;",
    "less": "(input [7:0] a, b, output y); assign y = a < b;",
    "counter": "(input clk, output reg [7:0] y); initial y = 0; always @(posedge clk) y <= y + 1;",
    "accumulator": "(input clk, rst, input signed [7:0] a, output reg signed [19:0] y);"
    " always @(posedge clk) if (rst) y <= 0; else y <= y + a;",
    "memory": "(input clk, we, input [4:0] w, r, input [7:0] d, output reg [7:0] q);"
    " reg [7:0] m [0:31]; always @(posedge clk) begin if (we) m[w] <= d; q <= m[r]; end",
    "product": "(input clk, input signed [7:0] a, b, output reg signed [15:0] y);"
    " always @(posedge clk) y <= a * b;",
}
GOWIN = {
    **{"register": 0, "initial": 0, "adder": 10, "less": 11, "counter": 11, "accumulator": 22},
    **{"memory": 42, "product": 360},
}
"""Figure LUT4 of nextpnr-himbaechel-gowin 0.11.1 for a GW1NR-9, by ``--pack-only``."""


def utilisation(folder, part):
    """What nextpnr says that a netlist takes of a part, and what the part has, by cell."""
    target, _ = find_part(part)
    command = [find_nextpnr(target.name), *OPTIONS[part].split(), "--json", NETLIST, "--pack-only"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pattern = r"^Info: \s+(\w+):\s+(\d+)/\s*(\d+)"
    found = re.findall(pattern, done.stdout + done.stderr, re.MULTILINE)
    return {cell: (int(taken), int(there)) for cell, taken, there in found}


def mapped(design, target, folder):
    """Netlist of one of `DESIGNS`, without DSP blocks."""
    (folder / "design.v").write_text(f"module top{design} endmodule")
    command = TARGETS[target].synthesis(dsp=False)
    run_yosys(f"read_verilog design.v\n{command} -top top\nwrite_json {NETLIST}", folder)
    return netlist_of(json.loads((folder / NETLIST).read_text())["modules"]["top"])


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("target", PLACED)
def test_small_designs_fill_as_much_as_the_packer_says(target, design, tmp_path):
    netlist = mapped(DESIGNS[design], target, tmp_path)
    taken, _ = utilisation(tmp_path, PACKED[target])[CELLS[target][0]]
    assert TARGETS[target].count_logic(netlist) == taken


@pytest.mark.parametrize("design", GOWIN)
def test_small_designs_on_gowin(design, tmp_path):
    assert packed_luts(mapped(DESIGNS[design], "gowin", tmp_path)) == GOWIN[design]


def test_a_register_of_gowin_shares_the_place_of_what_drives_it(tmp_path):
    """A LUT drives one of these registers, an input the other."""
    ports = "(input clk, a, b, output reg x, y);"
    logic = f"{ports} always @(posedge clk) begin x <= a & b; y <= a; end"
    netlist = mapped(logic, "gowin", tmp_path)
    assert packed_luts(netlist) == 1
    assert TARGETS["gowin"].count_logic(netlist) == 2


def compare(network, target, folder):
    """Hold all cells of a network equal to the packer's."""
    verilog, memories = accelerator_verilog(network), memory_files(network)
    found = synthesize(verilog, network.name, target, blocks=False, memories=memories, keep=folder)
    said = utilisation(folder, PACKED[target])
    logic, ff, dsp, memory, pins = (said.get(cell, (0, 0))[0] for cell in CELLS[target])
    assert (found.logic, found.dsp, found.block_ram) == (logic, dsp, memory)
    if target == "ecp5":  # where ports are left unplaced
        assert found.ff == ff
    else:
        assert found.pins == pins
    return found


@pytest.mark.parametrize("target", PLACED)
def test_a_network_fills_as_much_as_the_packer_says(target, tmp_path):
    compare(small_network(), target, tmp_path)


@pytest.mark.slow
def test_blocks_counted_one_by_one_fill_a_little_more_than_the_packer_says(tmp_path):
    """As `explore` counts a network: what crosses borders between blocks is not optimised."""
    network = load_network(MODELS / "digits-mlp-ternary")
    paths = [block.path for block in blocks_of(network) if block.path != REST]
    parts = synthesize_parts(accelerator_verilog(network), network.name, "ice40", paths=paths)
    whole = compare(network, "ice40", tmp_path).logic
    assert whole <= sum(part["logic"] for part in parts.values()) <= 1.05 * whole


@pytest.mark.slow
@pytest.mark.parametrize("target", PLACED)
@settings(
    max_examples=3,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(network=networks() | image_networks() | recurrent_networks())
def test_random_networks_fill_as_much_as_the_packer_says(target, network, tmp_path_factory):
    compare(network, target, tmp_path_factory.mktemp("network"))


@pytest.mark.slow
@pytest.mark.parametrize("model", ["digits-mlp-ternary", "digits-mlp-int8", "charlm-lstm-ternary"])
@pytest.mark.parametrize("target", PLACED)
def test_shipped_networks_fill_as_much_as_the_packer_says(target, model, tmp_path):
    found = compare(load_network(MODELS / model), target, tmp_path)
    assert found.logic > 1.1 * found.lut


@pytest.mark.parametrize("part", OPTIONS)
def test_parts_have_what_nextpnr_says(part, tmp_path):
    target, there = find_part(part)
    mapped(DESIGNS["register"], target.name, tmp_path)
    said = utilisation(tmp_path, part)
    has = (there.logic, there.ff, there.dsp, there.block_ram, there.pins)
    assert tuple(said.get(cell, (0, 0))[1] for cell in CELLS[target.name]) == has
