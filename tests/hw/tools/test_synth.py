"""Yosys counts what a design needs: known designs have known counts."""

import re

import pytest

from fxsim.errors import ConfigError, MissingToolError
from fxsim.hw.tools.synth import synthesize
from fxsim.hw.tools.yosys import run_yosys
from fxsim.targets.registry import TARGETS

MULTIPLY = """
module top(input clk, input signed [7:0] a, b, output [15:0] y);
  \\top.layer0.block inner(.clk(clk), .a(a), .b(b), .y(y));
endmodule
module \\top.layer0.block (clk, a, b, y);
  input clk; input signed [7:0] a, b; output reg signed [15:0] y;
  always @(posedge clk) y <= a * b;
endmodule
"""


@pytest.mark.parametrize("target", TARGETS)
def test_one_multiplier(target: str) -> None:
    with_dsp = synthesize(MULTIPLY, "top", target)
    assert with_dsp.dsp == 1
    assert with_dsp.lut == 0
    assert with_dsp.blocks["layer0.block"]["dsp"] == 1
    without = synthesize(MULTIPLY, "top", target, dsp=False, blocks=False)
    assert without.dsp == 0
    assert without.ff == 16
    assert without.lut > 50
    assert without.blocks == {}


def test_unknown_target() -> None:
    with pytest.raises(ConfigError, match=r"^unknown target 'xc9'; did you mean 'xc7'\?$"):
        synthesize(MULTIPLY, "top", "xc9")


def test_a_failure_of_yosys_is_one_line(tmp_path) -> None:
    with pytest.raises(MissingToolError, match=r"^Yosys failed: ERROR: .*no_such_command"):
        run_yosys("no_such_command", tmp_path)
    assert (tmp_path / "yosys.log").exists()


def test_bad_verilog_is_one_line() -> None:
    with pytest.raises(MissingToolError, match=r"^Yosys failed: .*syntax error"):
        synthesize("module top(; endmodule", "top", "xc7", blocks=False)


def test_missing_pyosys(tmp_path, monkeypatch) -> None:
    # Python finds this module before the installed package.
    (tmp_path / "pyosys.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    text = "pyosys is not installed; install it with: pip install 'fxsim[sim]'"
    with pytest.raises(MissingToolError, match=re.escape(text)):
        run_yosys("help", tmp_path)
