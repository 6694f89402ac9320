"""The bench in Verilog and the one in Python: the same cycles, words, times and registers.

What both say of faults is in `test_faults.py`.
"""

import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxsim.errors import FileError
from fxsim.hw.emit import accelerator_verilog, unit_verilog
from fxsim.simulator.simulator import simulate_trace
from fxsim.testbenches.accelerator import accelerator_job
from fxsim.testbenches.bench.channel import Channel
from fxsim.testbenches.bench.job import PATTERNS, RESTART, TURNS, WORDS, Device, Job
from fxsim.testbenches.bench.packed import Packed, pack_words
from fxsim.testbenches.bench.pauses import Pauses
from fxsim.testbenches.bench.simulators import find_simulator
from fxsim.testbenches.cases.samples import random_inputs
from fxsim.testbenches.cases.sparse_data import fill, masks
from fxsim.testbenches.mac_unit import loaded_weights, random_vectors, unit_job
from fxsim.testbenches.run import run
from fxsim.testbenches.skip_unit import unit_job as skip_job
from fxsim.testbenches.test_faults import BENCHES
from fxsim.testbenches.test_graphs import two_ports
from fxsim.testbenches.test_mac_unit import small
from fxsim.testbenches.test_networks import drawn
from fxsim.testbenches.test_skip_unit import units_of
from tests.strategies import batches, networks


def check(verilog: str, top: str, job: Job, folder: Path) -> None:
    """Both benches, on Icarus, have the same outcome of every pattern."""
    slow, fast = (
        run(find_simulator("icarus"), verilog, top, job, folder / bench, bench=bench)
        for bench in ("python", "verilog")
    )
    assert slow.messages == []
    assert fast.messages == []
    assert len(fast.outcomes) == len(job.patterns)
    assert fast.outcomes == slow.outcomes
    assert fast.words > 0


def test_several_outputs_and_resets(tmp_path: Path) -> None:
    network = two_ports()
    trace = simulate_trace(network, random_inputs(network, 4))
    job = accelerator_job(network, trace, patterns=[*PATTERNS, RESTART, *TURNS], seed=3)
    check(accelerator_verilog(network), network.name, job, tmp_path)


def test_words_to_load_and_registers(tmp_path: Path) -> None:
    unit = small(tmp_path, {"weights": {"code": "int4n", "seed": 1, "load": True}})
    weights = loaded_weights(unit, 1)
    assert weights is not None
    patterns = [*PATTERNS, RESTART]
    job = unit_job(unit, weights, random_vectors(unit, 6, 2), patterns=patterns, seed=3)
    assert job.preload
    assert job.registers is not None
    check(unit_verilog(unit), unit.name, job, tmp_path)


def test_registers_that_refuse_and_words_that_cannot_be_loaded(tmp_path: Path) -> None:
    """No pattern hangs in what the one before it has left."""
    unit = units_of(tmp_path)["skipper"]
    gradients = fill(masks(unit.items, unit.lanes, 5), unit.gradient, 5)[:4]
    job = skip_job(unit, None, gradients, 100, patterns=["none", "both", RESTART], seed=2)
    verilog, count = re.subn(r"axil_bresp <= .*;", "axil_bresp <= 2'h2;", unit_verilog(unit))
    assert count
    array = small(tmp_path, {"weights": {"code": "int4n", "seed": 1, "load": True}})
    loads = unit_job(array, loaded_weights(array, 1), random_vectors(array, 3, 2), seed=3)
    stuck, count = re.subn(
        r"\.i__ready\(s_axis_weights_tready\)", ".i__ready()", unit_verilog(array)
    )
    assert count == 1
    for top, text, asked, message in (
        (unit.name, verilog, job, "responses to writes: [2, 2]"),
        (array.name, stuck, loads, "s_axis_weights_tready is Z at cycle"),
    ):
        slow, fast = (
            run(find_simulator("icarus"), text, top, asked, tmp_path / top / bench, bench=bench)
            for bench in BENCHES
        )
        assert fast.messages == slow.messages
        assert fast.outcomes == slow.outcomes
        assert len(fast.messages) == len(asked.patterns)
        assert all(message in line for line in fast.messages), fast.messages


@drawn(max_examples=2)
@given(data=st.data())
def test_random_networks(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    network = data.draw(networks(max_size=12))
    trace = simulate_trace(network, data.draw(batches(network, 5)))
    job = accelerator_job(network, trace, patterns=[*PATTERNS, RESTART], seed=7)
    folder = tmp_path_factory.mktemp("random")
    check(accelerator_verilog(network), network.name, job, folder)


# Words that the bench cannot hold at once: it reads 256 of them at a time.

WIDTHS = (1, 8, 9, 32, 33, 64, 65, 200)


def wires() -> str:
    """A top module with a wire of each width from an input to an output."""
    ports, assignments = ["input clk", "input rst"], []
    for width in WIDTHS:
        there, back = (f"{port}{width}_" for port in "io")
        ports += [f"input [{width - 1}:0] {there}data", f"output [{width - 1}:0] {back}data"]
        for part in ("valid", "last"):
            ports += [f"input {there}{part}", f"output {back}{part}"]
        ports += [f"output {there}ready", f"input {back}ready"]
        assignments += [
            f"assign {back}{part} = {there}{part};" for part in ("data", "valid", "last")
        ]
        assignments.append(f"assign {there}ready = {back}ready;")
    return "\n".join([f"module wires({', '.join(ports)});", *assignments, "endmodule"])


def wire(width: int) -> Device:
    """Seven hundred random words for the wire of a width."""
    generator = np.random.default_rng(width)
    words = [int.from_bytes(generator.bytes(25)) & ((1 << width) - 1) for _ in range(700)]
    source, sink = (
        Channel(
            name=f"{port}{width}",
            data=f"{port}{width}_data",
            valid=f"{port}{width}_valid",
            ready=f"{port}{width}_ready",
            last=f"{port}{width}_last",
            lanes=1,
            stride=width,
            bits=width,
            signed=False,
            beats=7,
            words=words,
        )
        for port in "io"
    )
    return Device(source=source, sink=sink)


@pytest.mark.parametrize("simulator", ["icarus", "verilator"])
def test_long_streams_of_any_width(simulator: str, tmp_path: Path) -> None:
    """Right words, then one that is wrong in its highest bit: one and the same build."""
    job = Job(
        clock="clk",
        reset="rst",
        reset_active=1,
        devices=[wire(width) for width in WIDTHS],
        patterns=["none", "both"],
        seed=1,
    )
    regress = partial(run, find_simulator(simulator), wires(), "wires")
    good = regress(job, tmp_path / "good")
    assert good.messages == []
    assert good.words == 2 * 700 * len(WIDTHS)
    for k, width in enumerate(WIDTHS):
        device = job.devices[k]
        words = [*device.sink.words]
        words[613] ^= 1 << (width - 1)
        sink = replace(device.sink, words=words)
        devices = [*job.devices[:k], replace(device, sink=sink), *job.devices[k + 1 :]]
        bad = regress(replace(job, devices=devices, patterns=["both"]), tmp_path / str(width))
        assert bad.wrong == 1
        assert bad.mismatch is not None
        assert bad.mismatch["layer"] == f"o{width}"
        assert (bad.mismatch["vector"], bad.mismatch["index"]) == divmod(613, 7)
        assert bad.mismatch["expected"] == words[613]
        assert bad.mismatch["actual"] == device.sink.words[613]


# Words as bytes, and pauses.


@given(
    st.integers(1, 70),
    st.integers(1, 5),
    st.integers(1, 9),
    st.integers(-1, 0),
    st.integers(0, 2**32 - 1),
)
def test_packed_words(stride: int, lanes: int, items: int, pad: int, seed: int) -> None:
    """By the definition: lane k in the bits from ``k * stride`` on."""
    generator = np.random.default_rng(seed)
    bound = 1 << (min(stride, 62) - 1)
    vectors = generator.integers(-bound, bound, (3, items))
    mask, want = (1 << stride) - 1, []
    for vector in vectors.tolist():
        padded = [*vector, *[pad] * (-items % lanes)]
        for start in range(0, len(padded), lanes):
            group = padded[start : start + lanes]
            want.append(sum((value & mask) << (k * stride) for k, value in enumerate(group)))
    packed = pack_words(vectors, lanes=lanes, stride=stride, pad=pad)
    assert list(packed) == want
    assert list(Packed.of(want, lanes * stride)) == want


def test_a_job_is_read_back_with_its_words(tmp_path: Path) -> None:
    network = two_ports()
    job = accelerator_job(network, simulate_trace(network, random_inputs(network, 2)))
    (device,) = job.devices
    source = replace(device.source, frames=[3, 5], misframed=[3, 8])
    job = replace(job, devices=[replace(device, source=source)])
    job.write(tmp_path)
    assert Job.read(tmp_path) == job
    data = bytearray((tmp_path / WORDS).read_bytes())
    data[-1] ^= 1
    (tmp_path / WORDS).write_bytes(data)
    with pytest.raises(FileError, match=r"words\.bin: not the words of job\.json"):
        Job.read(tmp_path)


def test_pauses() -> None:
    """More than half of all cycles, in bursts of many lengths; another seed, other pauses."""
    seen = []
    for seed in range(6):
        pauses = Pauses(True, seed)
        seen.append([pauses.now() for _ in range(20_000)])
    for bits in seen:
        assert 0.5 < sum(bits) / len(bits) < 0.9
        runs = "".join("01"[bit] for bit in bits).split("0")
        assert {1, 2, 3, 8, 20} <= {len(run) for run in runs}
        assert max(map(len, runs)) > 100
    assert len({tuple(bits[:200]) for bits in seen}) == len(seen)
    assert not any(Pauses(False, 1).now() for _ in range(100))
