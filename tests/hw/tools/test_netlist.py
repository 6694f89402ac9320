"""What Yosys makes for Gowin computes the same as the Verilog that it is made of.

Cells of logic are simulated by Yosys's models; those of block memories and multipliers, for which
it has none, by gowin_cells.v.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyosys
import pytest

from fxsim.arithmetic.codes import code_of
from fxsim.arithmetic.formats import AccumulatorMode, IntFormat, MemoryStyle
from fxsim.hw.blocks.mac_array import MacArray
from fxsim.hw.blocks.window import Window
from fxsim.hw.emit import verilog_of
from fxsim.hw.tools.yosys import run_yosys
from fxsim.network import Windows, accumulator_bounds
from fxsim.plan.mac_array import MacArrayConfig
from fxsim.plan.window import WindowConfig
from fxsim.targets.registry import TARGETS

OURS = Path(__file__).with_name("gowin_cells.v")
YOSYS = Path(pyosys.__file__).parent / "share" / "gowin" / "cells_sim.v"
CYCLES = 3000
WINDOW = WindowConfig(
    windows=Windows(channels=8, height=24, width=24, kernel=(3, 3), padding=1),
    format=IntFormat(bits=8, signed=False),
    simd=8,
)

MEMORIES = """
module dut(input clk, input rst, input we, input re, input [7:0] w, r, input signed [17:0] d,
           input [5:0] few, output reg signed [17:0] q, output reg [5:0] p,
           output reg signed [45:0] wide, output reg signed [35:0] long, output reg [17:0] narrow);
  reg signed [17:0] deep [0:255];
  reg [5:0] shallow [0:15];
  reg signed [23:0] x;
  always @(posedge clk) begin
    if (we) deep[w] <= d;
    if (re) q <= deep[r];
    if (we) shallow[w[3:0]] <= few;
    p <= shallow[r[3:0]];
    x <= {x[17:0], few} ^ d;
    wide <= x * $signed({d, few[3:0]});
    long <= x * $signed(d[11:0]);
    narrow <= d[8:0] * w;
    if (rst) begin x <= 0; wide <= 0; long <= 0; end
  end
endmodule
"""


def mac_array() -> tuple[str, dict[str, str]]:
    """Two rows of three lanes, weights of 8 bits in block RAM; and the file of these."""
    generator = np.random.default_rng(1)
    weights, bias = generator.integers(-127, 128, (32, 48)), generator.integers(-1000, 1000, 32)
    source = IntFormat(bits=8, signed=False)
    config = MacArrayConfig(
        rows=2,
        simd=3,
        activation=source,
        code=code_of(IntFormat.for_levels(255)),
        accumulator=IntFormat.spanning(*accumulator_bounds(weights, bias, source), signed=True),
        mode=AccumulatorMode.WIDE,
        weights=weights,
        bias=bias,
        dsp=True,
        memory=MemoryStyle.BLOCK,
    )
    content = config.content
    return verilog_of(MacArray(config), "dut"), {content.file("dut"): content.text}


def memories() -> tuple[str, dict[str, str]]:
    """Memories and multipliers of all sizes."""
    return MEMORIES, {}


def window() -> tuple[str, dict[str, str]]:
    """A line buffer of four rows."""
    return verilog_of(Window(WINDOW), "dut"), {}


DESIGNS = {
    mac_array: {"MULT9X9", "SPX9"},
    memories: {"MULT9X9", "MULT18X18", "MULT36X36", "DPX9B", "RAM16SDP4"},
    window: {"SDPX9B"},
}
"""What makes the Verilog and the files that it reads; cells that must be in the netlist."""


def ports_of(verilog: str) -> list[tuple[str, str, int]]:
    """Direction, name and width of each port of the module ``netlist``, one a line."""
    (text,) = re.findall(r"^module netlist\(.*?^endmodule", verilog, re.MULTILINE | re.DOTALL)
    found = re.findall(r"^ +(input|output) (?:signed )?(?:\[(\d+):0\] )?(\w+);", text, re.MULTILINE)
    return [(way, name, int(high or 0) + 1) for way, high, name in found]


def bench(ports: list[tuple[str, str, int]]) -> str:
    """Random inputs for both modules; says how many known bits of outputs were compared."""
    inputs = [(name, width) for way, name, width in ports if way == "input" and name != "clk"]
    outputs = [(name, width) for way, name, width in ports if way == "output"]
    free = [(name, width) for name, width in inputs if name != "rst"]
    wires = [f"reg [{width - 1}:0] {name} = 0;" for name, width in inputs]
    wires += [f"wire [{width - 1}:0] {name}_{of};" for name, width in outputs for of in "ab"]
    drive = [f"{name} <= {{{', '.join(['$random'] * -(-width // 32))}}};" for name, width in free]
    check = [
        f"for (k = 0; k < {width}; k = k + 1) if ({name}_a[k] === 1'b0 || {name}_a[k] === 1'b1)"
        f' begin seen = seen + 1; if ({name}_a[k] !== {name}_b[k]) $display("wrong: {name}"); end'
        for name, width in outputs
    ]

    def instance(module: str, of: str) -> str:
        pins = [".clk(clk)", *(f".{name}({name})" for name, _ in inputs)]
        pins += [f".{name}({name}_{of})" for name, _ in outputs]
        return f"{module} {of} ({', '.join(pins)});"

    lines = "\n".join
    return f"""
module bench;
  reg clk = 0; integer k, n, seen = 0;
  {lines(wires)}
  {instance("dut", "a")}
  {instance("netlist", "b")}
  initial begin
    for (n = 0; n < {CYCLES}; n = n + 1) begin
      rst <= n < 4;
      {lines(drive)}
      #4;
      {lines(check)}
      #1 clk = 1; #5 clk = 0;
    end
    $display("compared: %0d", seen); $finish;
  end
endmodule
"""


@pytest.mark.parametrize("make", DESIGNS, ids=lambda make: make.__name__)
def test_netlist_is_the_design(
    make: Callable[[], tuple[str, dict[str, str]]], tmp_path: Path
) -> None:
    verilog, files = make()
    for file, text in {"dut.v": verilog, **files}.items():
        (tmp_path / file).write_text(text)
    command = TARGETS["gowin"].synthesis(dsp=True)
    script = f"""read_verilog dut.v
{command} -noiopads -top dut
rename dut netlist
write_verilog -noattr -noexpr netlist.v"""
    run_yosys(script, tmp_path)
    netlist = (tmp_path / "netlist.v").read_text()
    assert DESIGNS[make] <= set(re.findall(r"^  ([A-Z]\w+) (?:#|\\|_|\w)", netlist, re.MULTILINE))
    empty = r"^module SPX?9?\b.*?^endmodule"
    models = re.sub(empty, "", YOSYS.read_text(), flags=re.MULTILINE | re.DOTALL)
    (tmp_path / "cells.v").write_text(models)
    (tmp_path / "bench.v").write_text(bench(ports_of(netlist)))
    sources = ["bench.v", "dut.v", "netlist.v", "cells.v", str(OURS)]
    _run(["iverilog", "-g2012", "-s", "bench", "-o", "bench.vvp", *sources], tmp_path)
    said = _run(["vvp", "-n", "bench.vvp"], tmp_path).splitlines()
    assert [line for line in said if line.startswith("wrong")][:1] == []
    (compared,) = [int(line.split()[1]) for line in said if line.startswith("compared")]
    assert compared > 10 * CYCLES


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
