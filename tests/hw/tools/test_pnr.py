"""How nextpnr is called and what is said where it is missing; a stand-in for it writes reports."""

import json
import sys

import pytest

from fxsim.errors import ConfigError, MissingToolError
from fxsim.hw.tools import pnr
from fxsim.targets.target import Placement

DESIGN = """
module top(input clk, input [7:0] a, b, output reg [7:0] y);
  always @(posedge clk) y <= a + b;
endmodule
"""
FAKE = f"""#!{sys.executable}
import json, sys, time
from pathlib import Path
options = sys.argv[1:]
design = json.loads(Path(options[options.index("--json") + 1]).read_text())
cells = {{cell["type"] for cell in design["modules"]["top"]["cells"].values()}}
if "--fail" in cells or "no-such" in options:
    sys.exit("ERROR: cannot place")
if "in-circles" in options:
    time.sleep(60)
seed = int(options[options.index("--seed") + 1])
report = {{"fmax": {{"clk": {{"achieved": 100.0 + seed}}, "other": {{"achieved": 900.0}}}}}}
Path(options[options.index("--report") + 1]).write_text(json.dumps(report))
with open({{log!r}}, "a") as log:
    log.write(json.dumps([options, sorted(cells)]) + "\\n")
"""


def fake(tmp_path, monkeypatch, target):
    """Put a stand-in on the path; returns what it was called with, and the cells that it got."""
    log = tmp_path / "log"
    tool = tmp_path / f"nextpnr-{target}"
    tool.write_text(FAKE.replace("{log!r}", repr(str(log))))
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return lambda: [json.loads(line) for line in log.read_text().splitlines()]


@pytest.mark.parametrize(
    ("target", "option", "cell"),
    [("ecp5", "--out-of-context", "TRELLIS_FF"), ("ice40", "router2", "SB_DFF")],
)
def test_one_synthesis_is_placed_for_each_seed_and_the_slowest_clock_counts(
    tmp_path, monkeypatch, target, option, cell
):
    calls = fake(tmp_path, monkeypatch, target)
    assert pnr.clocks_mhz(DESIGN, "top", target=target, seeds=(4, 7)) == [104.0, 107.0]
    for options, cells in calls():
        assert option in options
        assert cell in cells


def test_a_failure_is_one_line(tmp_path, monkeypatch):
    fake(tmp_path, monkeypatch, "ecp5")
    monkeypatch.setitem(pnr.PLACED, "ecp5", Placement("lfe5u-85", "no-such"))
    with pytest.raises(
        MissingToolError, match=r"^nextpnr failed: ERROR: cannot place; see .*\.log$"
    ):
        pnr.clocks_mhz(DESIGN, "top", target="ecp5")


def test_a_router_that_never_ends_is_stopped(tmp_path, monkeypatch):
    fake(tmp_path, monkeypatch, "ecp5")
    monkeypatch.setitem(pnr.PLACED, "ecp5", Placement("lfe5u-85", "in-circles"))
    message = r"^nextpnr took longer than 1 s; see .*\.log$"
    with pytest.raises(MissingToolError, match=message):
        pnr.clocks_mhz(DESIGN, "top", target="ecp5", seeds=(2,), limit_s=1)


def test_missing(monkeypatch):
    monkeypatch.setattr(pnr.shutil, "which", lambda name: None)
    with pytest.raises(MissingToolError, match=r"pip install 'fxsim\[pnr\]'"):
        pnr.clocks_mhz("module top; endmodule", "top", target="ecp5")


def test_a_target_without_place_and_route():
    with pytest.raises(ConfigError, match=r"^target must be one of ecp5, ice40 for a clock, not"):
        pnr.find_nextpnr("xc7")
    with pytest.raises(ConfigError, match=r"^unknown target 'ecp6'; did you mean 'ecp5'\?$"):
        pnr.find_nextpnr("ecp6")
