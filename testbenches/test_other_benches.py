"""The Verilog in benches of other people."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from fxsim.hw.emit import accelerator_verilog
from fxsim.plan.planner import plan_network
from fxsim.simulator import simulate
from fxsim.testbenches.bench.packed import pack_words
from fxsim.testbenches.bench.simulators import find_simulator
from fxsim.testbenches.cases.samples import chain, random_inputs

BENCH = """
module bench;
  reg aclk = 0, aresetn = 0, tvalid = 0, tready = 0;
  reg [WIDTH-1:0] words [0:COUNT-1];
  integer sent = 0, cycle = 0;
  wire taken, valid, last;
  wire [OUT-1:0] data;
  always #5 aclk = ~aclk;
  NAME dut (.aclk(aclk), .aresetn(aresetn), .s_axis_tdata(tvalid ? words[sent] : {WIDTH{1'bx}}),
    .s_axis_tvalid(tvalid), .s_axis_tready(taken), .s_axis_tlast(tvalid ? LAST : 1'bx),
    .m_axis_tdata(data), .m_axis_tvalid(valid), .m_axis_tready(tready), .m_axis_tlast(last),
    .frame_error());
  initial begin
    $readmemh("words.hex", words);
    #42 aresetn <= 1;
  end
  always @(posedge aclk) if (aresetn) begin
    cycle <= cycle + 1;
    tready <= cycle > 40;
    tvalid <= tvalid & taken ? sent < COUNT - 1 : sent < COUNT;
    if (tvalid & taken) sent <= sent + 1;
    if (valid & tready) $display("%h", data);
    if (cycle == 400) $finish;
  end
endmodule
"""


@pytest.mark.parametrize("language", ["-g2005", "-g2012"])
def test_reset_from_the_start(language: str, tmp_path: Path) -> None:
    """Reset is low from time 0, so no input of a device changes until it ends; nothing is taken."""
    network = chain(["first", "second"])
    plan, x = plan_network(network), random_inputs(network, 3)
    given, leaving = plan.input, plan.output
    words = list(pack_words(x, lanes=given.beat.lanes, stride=8))
    wanted = pack_words(np.asarray(simulate(network, x)), lanes=leaving.beat.lanes, stride=8)
    values = {
        "NAME": network.name,
        "WIDTH": 8 * given.beat.lanes,
        "OUT": 8 * leaving.beat.lanes,
        "COUNT": len(words),
        "LAST": f"(sent % {given.count} == {given.count - 1})",
    }
    bench = BENCH
    for name, value in values.items():
        bench = bench.replace(name, str(value))
    (tmp_path / "bench.v").write_text(bench)
    (tmp_path / "dut.v").write_text(accelerator_verilog(network))
    (tmp_path / "words.hex").write_text("".join(f"{word:x}\n" for word in words))
    compile_ = [find_simulator("icarus").where, language, "-o", "bench", "bench.v", "dut.v"]
    subprocess.run(compile_, cwd=tmp_path, check=True)
    done = subprocess.run(
        ["vvp", "-n", "bench"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    seen = [line for line in done.stdout.splitlines() if "finish" not in line]
    assert seen == [f"{word:0{2 * leaving.beat.lanes}x}" for word in wanted]
