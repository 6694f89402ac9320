"""Weights in files: what is in them, and that no fault of one goes unnoticed."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fxsim.arithmetic.formats import MemoryStyle
from fxsim.hw.emit import accelerator_verilog, emit, manifest_of, memory_files
from fxsim.network import Folding, QuantizedNetwork
from fxsim.plan.memory import WeightMemory, checksum
from fxsim.testbenches.bench.simulators import SIMULATORS
from fxsim.testbenches.cases.samples import MODELS, chain, random_inputs, shipped
from fxsim.testbenches.verify import NetworkRun, verify

FOLDING = Folding(rows=4, simd=5, pad=True, memory=MemoryStyle.BLOCK)
FILE = "chain.layer1_weights.hex"


def network_of(model: str = MODELS[0]) -> QuantizedNetwork:
    """Two layers of 7 inputs and outputs: 4 words of 20 weights each."""
    return chain(["layer0", "layer1"], model=model, size=7, folding=FOLDING)


def regression(network: QuantizedNetwork, simulator: str, folder: Path) -> NetworkRun:
    (result,) = verify(
        network,
        vectors={simulator: random_inputs(network, 6)},
        seed=4,
        folder=folder,
        patterns=["none", "both"],
    )
    return result


@pytest.mark.parametrize("model", MODELS)
def test_a_file_holds_the_weights(model: str, tmp_path: Path) -> None:
    network = network_of(model)
    emit(network, tmp_path)
    for layer in network.linears:
        lines = (tmp_path / f"chain.{layer.name}_weights.hex").read_text().splitlines()
        assert len(lines) == layer.tiles * layer.beats == 4
        bits = layer.code.bits
        found = np.zeros((8, 10), np.int64)
        for place, line in enumerate(lines):
            assert re.fullmatch(rf"[0-9a-f]{{{-(-20 * bits // 4)}}}", line)
            tile, beat = divmod(place, 2)
            for k in range(20):
                value = int(line, 16) >> k * bits & (1 << bits) - 1
                signed = value - (value >> bits - 1 << bits)
                found[4 * tile + k // 5, 5 * beat + k % 5] = signed
        np.testing.assert_array_equal(found[:7, :7], layer.weight)
        assert not found[7:].any()
        assert not found[:, 7:].any()


def test_the_manifest_tells_files_and_registers(tmp_path: Path) -> None:
    network = network_of()
    emit(network, tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    memory = WeightMemory.of(network.linears[1])
    assert manifest["memories"]["layer1"] == {
        "file": FILE,
        "depth": 4,
        "bits": 40,
        "checksum": checksum(memory.words),
    }
    offsets = {name: register["offset"] for name, register in manifest["s_axi"].items()}
    assert offsets == {
        **{"version": 0, "status": 4, "control": 8, "frame_errors": 12},
        **{"checksum_layer0": 16, "checksum_layer1": 20},
    }
    assert "memories" not in manifest_of(shipped(MODELS[0]))
    assert ".FILE(" not in accelerator_verilog(shipped(MODELS[0]))


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("model", MODELS)
def test_registers_hold_the_checksums(model: str, simulator: str, tmp_path: Path) -> None:
    network = network_of(model)
    result = regression(network, simulator, tmp_path)
    assert result.messages == []
    assert result.latency_measured == result.latency_predicted
    for outcome in result.outcomes:
        assert outcome["registers"] == {
            "version": 0x46584E31,
            "status": 1,
            "frame_errors": 0,
            **{
                f"checksum_{layer.name}": checksum(WeightMemory.of(layer).words)
                for layer in network.linears
            },
        }


def without_last_line(text: str) -> str:
    return text[: text.rindex("\n", 0, -1) + 1]


def with_a_flipped_bit(text: str) -> str:
    lines = text.splitlines()
    lines[2] = f"{int(lines[2], 16) ^ 1 << 33:010x}"
    return "\n".join(lines) + "\n"


def with_lines_swapped(text: str) -> str:
    lines = text.splitlines()
    return "\n".join([lines[1], lines[0], *lines[2:]]) + "\n"


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize(
    "damage", [None, without_last_line, with_a_flipped_bit, with_lines_swapped]
)
def test_a_damaged_file_is_noticed(
    damage: Callable[[str], str] | None,
    simulator: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Missing, short, wrong in one bit, out of order: the register of that layer says so."""
    network = network_of()
    files = memory_files(network)
    assert list(files) == ["chain.layer0_weights.hex", FILE]
    if damage is None:
        del files[FILE]
    else:
        assert damage(files[FILE]) != files[FILE]
        files[FILE] = damage(files[FILE])
    monkeypatch.setattr("fxsim.hw.emit.memory_files", lambda _: files)
    result = regression(network, simulator, tmp_path)
    assert not result.ok
    want = WeightMemory.of(network.linears[1]).checksum
    told = rf"(none|both): checksum_layer1 is (0x\w{{8}}|unknown), not {want:#010x}"
    assert [message for message in result.messages if re.fullmatch(told, message)]
    assert not [message for message in result.messages if "checksum_layer0" in message]
    for outcome in result.outcomes:
        # Checked, and in error; without its file Icarus has a memory of unknown bits.
        assert outcome["registers"]["status"] in (3, f"{0:030b}X1")
