"""The sizes that fxsim has of Gowin's multipliers and memories are the rules of Yosys."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fxsim.cost.amounts import dsp_blocks
from fxsim.hw.tools.yosys import run_yosys
from fxsim.targets.gowin import GOWIN

WORDS = [
    *((2, 2), (8, 3), (4, 4), (8, 8), (9, 9), (10, 4), (12, 8), (18, 3), (18, 18), (19, 8)),
    *((20, 12), (21, 16), (22, 4), (22, 12), (22, 16), (24, 12), (27, 19), (36, 18), (22, 22)),
    *((24, 22), (36, 36)),
]


def cells_of(modules: dict[str, str], folder: Path) -> dict[str, dict[str, int]]:
    """Cells of each module by type, before logic is mapped."""
    script = ["read_verilog design.v", "design -save source"]
    for name in modules:
        script += [
            "design -load source",
            f"{GOWIN.synthesis(dsp=True)} -noiopads -top {name} -run begin:map_gates",
            f"tee -q -o {name}.json stat -json -top {name}",
        ]
    (folder / "design.v").write_text("\n".join(modules.values()))
    run_yosys("\n".join(script), folder)
    found = {name: json.loads((folder / f"{name}.json").read_text()) for name in modules}
    return {name: stat["design"]["num_cells_by_type"] for name, stat in found.items()}


def test_multipliers_of_products(tmp_path: Path) -> None:
    products = {
        f"m{a}x{b}": f"""
module m{a}x{b}(input signed [{a - 1}:0] a, input signed [{b - 1}:0] b,
                output signed [{a + b - 1}:0] y);
  assign y = a * b;
endmodule"""
        for a, b in WORDS
    }
    counted = {
        name: GOWIN.count(seen)["dsp"] for name, seen in cells_of(products, tmp_path).items()
    }
    sizes = {f"m{a}x{b}": {"lanes": 1, "accumulator": a, "multiplier": b} for a, b in WORDS}
    assert counted == {
        name: dsp_blocks("requantizer", facts, GOWIN.name) for name, facts in sizes.items()
    }
    assert [counted[name] for name in ("m8x3", "m8x8", "m24x12", "m22x16", "m24x22")] == [
        0,
        1,
        2,
        2,
        4,
    ]


def memory(name: str, width: int, *, written: bool) -> str:
    """Memory of 128 words; a ROM of random ones unless it is written to."""
    words = np.random.default_rng(1).integers(0, 1 << width, 128)
    content = "\n".join(f"    words[{k}] = {word};" for k, word in enumerate(words))
    return f"""
module {name}(input clk, input we, input [6:0] a, w, input [{width - 1}:0] d,
              output reg [{width - 1}:0] q);
  reg [{width - 1}:0] words [0:127];
  {"" if written else f"initial begin {content} end"}
  always @(posedge clk) begin
    q <= words[a];
    {"if (we) words[w] <= d;" if written else ""}
  end
endmodule"""


@pytest.mark.parametrize(
    ("written", "most"), [(False, GOWIN.fabric.rom), (True, GOWIN.fabric.ram)], ids=["rom", "ram"]
)
def test_memories_of_more_bits_are_block_ram(written: bool, most: int, tmp_path: Path) -> None:
    fit = most // 128
    widths = {"few": fit, "many": fit + 2}
    modules = {name: memory(name, width, written=written) for name, width in widths.items()}
    found = {name: GOWIN.count(seen) for name, seen in cells_of(modules, tmp_path).items()}
    assert [found[name]["block_ram"] for name in widths] == [0, 1]
    assert [found[name]["lut_ram"] for name in widths] == [written * 8 * -(-fit // 4), 0]
