"""Cells of the parts of generated networks, and the blocks that the cost model says there are."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fxsim.cost.facts import REST, blocks_of
from fxsim.errors import ConfigError
from fxsim.explorer.evaluate import Evaluator
from fxsim.hw.emit import accelerator_verilog
from fxsim.hw.tools.parts import synthesize_parts, texts_of
from fxsim.hw.tools.synth import synthesize
from fxsim.targets.registry import TARGETS
from tests.explorer.small import make
from tests.image_strategies import image_networks
from tests.lstm_strategies import recurrent_networks
from tests.residual_strategies import residual_networks
from tests.strategies import networks

DESIGN = """
module top(input clk, input signed [7:0] a, b, output [15:0] y, output reg [3:0] n);
  wire [15:0] x;
  always @(posedge clk) n <= n + 1;
  \\top.layer0.block inner(.clk(clk), .a(a), .b(b), .y(x));
  \\top.layer1.block other(.clk(clk), .a(x[7:0]), .b(b), .y(y));
endmodule
module \\top.layer0.block (clk, a, b, y);
  input clk; input signed [7:0] a, b; output reg signed [15:0] y;
  always @(posedge clk) y <= a * b;
endmodule
module \\top.layer1.block (clk, a, b, y);
  input clk; input signed [7:0] a, b; output [15:0] y;
  \\top.layer1.block.inside part (.clk(clk), .a(a), .b(b), .y(y));
endmodule
module \\top.layer1.block.inside (clk, a, b, y);
  input clk; input signed [7:0] a, b; output reg signed [15:0] y;
  always @(posedge clk) y <= a + b;
endmodule
"""
PATHS = ("layer0.block", "layer1.block")
MEMORY = """
module top(input clk, input [7:0] d, input [4:0] w, r, input we, output reg [7:0] q);
  reg [7:0] m [0:31];
  always @(posedge clk) begin if (we) m[w] <= d; q <= m[r]; end
endmodule
"""
ADDER = "module top(input [7:0] a, b, output [7:0] y); assign y = a + b; endmodule"


@pytest.mark.parametrize("target", TARGETS)
def test_each_part_is_counted_by_itself_and_known_ones_are_left_out(target):
    found = synthesize_parts(DESIGN, "top", target, paths=PATHS)
    assert set(found) == {*PATHS, REST}
    assert [found[path]["dsp"] for path in (*PATHS, REST)] == [1, 0, 0]
    assert [found[path]["ff"] for path in (PATHS[1], REST)] == [9, 4]
    fewer = synthesize_parts(DESIGN, "top", target, paths=PATHS[1:], known=PATHS[:1])
    assert fewer == {path: found[path] for path in (PATHS[1], REST)}


def test_luts_are_all_that_are_taken():
    memory = {t: synthesize_parts(MEMORY, "top", t)[REST]["lut"] for t in ("xc7", "ecp5", "gowin")}
    assert memory["xc7"] >= 8  # two RAM32M of 4 LUTs
    assert memory["ecp5"] >= 4 * 6  # 32 x 8 bits: four memories of 16 x 4
    assert memory["gowin"] >= 4 * 8
    adder = synthesize_parts(ADDER, "top", "ecp5")[REST]
    assert adder["carry"] >= 4
    assert adder["lut"] == 2 * adder["carry"] + synthesize(ADDER, "top", "ecp5", blocks=False).lut
    assert synthesize_parts(ADDER, "top", "ice40")[REST]["lut"] == 8
    adder = synthesize_parts(ADDER, "top", "gowin")[REST]
    assert (adder["lut"], adder["carry"]) == (8, 8)  # the carry cells stand in places of LUTs


def test_the_text_of_a_block_has_no_place():
    texts = texts_of(DESIGN, "top", [*PATHS, REST])
    assert texts[PATHS[1]].count("module ") == 2
    assert "inside part" in texts[PATHS[1]]
    assert texts[REST].startswith("module block(")
    moved = DESIGN.replace("top.layer0", "top.layer7")
    assert texts_of(moved, "top", ["layer7.block"])["layer7.block"] == texts[PATHS[0]]
    other = DESIGN.replace("a * b", "a - b")
    assert texts_of(other, "top", PATHS)[PATHS[0]] != texts[PATHS[0]]
    assert texts_of(other, "top", PATHS)[PATHS[1]] == texts[PATHS[1]]


def test_the_content_of_a_memory_belongs_to_its_block():
    text = DESIGN.replace("a * b", 'a * b + $test("w.hex")')

    def found(file, content):
        return texts_of(text.replace("w.hex", file), "top", PATHS, {file: content})[PATHS[0]]

    assert found("w.hex", "12") == found("other.hex", "12") != found("w.hex", "13")


def test_unknown_target():
    with pytest.raises(ConfigError, match=r"^unknown target 'xc9'; did you mean 'xc7'\?$"):
        synthesize_parts(DESIGN, "top", "xc9")


@settings(max_examples=12, suppress_health_check=list(HealthCheck), deadline=None)
@given(
    st.one_of(
        networks(max_size=9),
        recurrent_networks(max_size=5),
        image_networks(max_side=5),
        residual_networks(),
    )
)
def test_the_blocks_of_a_network_are_the_modules_of_its_verilog(network):
    verilog = accelerator_verilog(network)
    top = re.escape(network.name)
    modules = set(re.findall(rf"^module \\{top}\.(\S+)", verilog, re.MULTILINE))
    paths = {block.path for block in blocks_of(network)}
    wholes = {path.rpartition(".")[0] for path in paths} - {""}
    assert paths - {REST} == {
        name
        for name in modules - wholes
        if name.rpartition(".")[0] in wholes or re.search(r"\$(port_)?skid\d*$", name)
    }


def test_blocks_together_are_the_network_but_for_what_crosses_their_borders():
    network = Evaluator(make()).network((1, 1, 1, 1))
    verilog = accelerator_verilog(network)
    paths = [block.path for block in blocks_of(network)]
    parts = synthesize_parts(verilog, network.name, "ecp5", paths=[p for p in paths if p])
    (whole,) = synthesize_parts(verilog, network.name, "ecp5").values()
    total = {kind: sum(part[kind] for part in parts.values()) for kind in whole}
    assert set(parts) == set(paths)
    for kind in ("ff", "dsp", "block_ram"):
        assert total[kind] == pytest.approx(whole[kind], rel=0.03)
    for kind in ("logic", "lut"):
        assert total[kind] == pytest.approx(whole[kind], rel=0.15)


@pytest.mark.parametrize("target", TARGETS)
def test_without_dsp_blocks_products_are_logic(target):
    found = synthesize_parts(DESIGN, "top", target, paths=PATHS, dsp=False)
    assert all(part["dsp"] == 0 for part in found.values())
    assert found[PATHS[0]]["logic"] > 50


def test_constants_are_driven_once_for_a_design_not_for_each_block():
    """Two logic cells of an iCE40, which the rest of a design has."""
    alone = synthesize_parts(DESIGN, "top", "ice40", paths=PATHS, dsp=False)
    whole = synthesize(DESIGN, "top", "ice40", dsp=False)
    for path in PATHS:
        assert alone[path]["logic"] == whole.blocks[path]["logic"] - 2
