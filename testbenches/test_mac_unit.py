"""MAC arrays with their AXI ports: words, cycles, codes, weights, framing, faults."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fxsim.arithmetic.codes import parse_code
from fxsim.hw.emit import unit_memory_files, unit_verilog
from fxsim.network.mac_unit import MacUnit
from fxsim.plan.mac_unit import array_of
from fxsim.shipped import models_folder
from fxsim.spec.mac_unit import load_mac_unit
from fxsim.testbenches import mac_unit, units
from fxsim.testbenches.bench.job import PATTERNS, RESTART
from fxsim.testbenches.bench.lint import lint
from fxsim.testbenches.bench.simulators import find_simulator
from fxsim.testbenches.mac_unit import (
    hard_vectors,
    loaded_weights,
    products_of,
    random_vectors,
    unit_job,
    verify_mac_unit,
)
from fxsim.testbenches.run import run
from fxsim.testbenches.units import UnitRun
from fxsim.timing.mac_unit import MacCycles, mac_unit_cycles
from tests.declared import declared_memories
from tests.flips import with_flipped_weight

BASE: dict[str, Any] = {
    "kind": "mac-array",
    "name": "small_array",
    "outputs": 7,
    "inputs": 10,
    "rows": 3,
    "simd": 4,
    "columns": 1,
    "activation": {"bits": 5},
    "weights": {"code": "int6n", "seed": 3},
}

OUTPUT = {"requantize": {"multiplier": 201, "shift": 13}, "output": {"bits": 7}}

SMALL: dict[str, dict[str, Any]] = {
    "one column": {},
    "loaded columns": OUTPUT
    | {"columns": 3, "weights": {"code": "int6n", "seed": 3, "load": True}, "dsp": False},
    "binary": OUTPUT
    | {"outputs": 6, "inputs": 8, "columns": 2, "bias": {"seed": 1, "bits": 6}}
    | {"weights": {"code": "binary", "seed": 1, "load": True}, "relu": True},
    "from a file": OUTPUT
    | {"columns": 2, "memory": "block", "weights": {"code": "int8", "seed": 1}},
    "loaded block": {"memory": "block", "weights": {"code": "po2_5", "seed": 1, "load": True}},
    "wraps": {
        "columns": 2,
        "accumulator": {"overflow": "wrap", "bits": 8},
        "bias": {"seed": 4, "bits": 7},
        "weights": {"code": "po2_4", "seed": 1, "load": True},
    },
    "saturates": {
        "accumulator": {"overflow": "saturate", "bits": 8},
        "activation": {"bits": 6, "signed": False},
        "weights": {"code": "ternary", "seed": 1},
        "inputs": 40,
    },
    "a beat a vector": {"outputs": 5, "inputs": 3, "rows": 5, "simd": 3, "columns": 4},
}
"""Units of all sorts: what they change in `BASE`."""


def small(folder: Path, changes: dict[str, Any]) -> MacUnit:
    path = folder / "unit.yaml"
    path.write_text(json.dumps(BASE | changes))
    return load_mac_unit(path)


def verified(
    unit: MacUnit,
    folder: Path,
    simulator: str = "icarus",
    patterns: Any = ("none",),
    count: int = 9,
) -> UnitRun:
    vectors = np.concatenate([hard_vectors(unit, 4), random_vectors(unit, count, 4)])
    (seen,) = verify_mac_unit(
        unit, vectors={simulator: vectors}, seed=4, folder=folder, patterns=patterns
    )
    return seen


# A build for Verilator takes long.
RUNS = [*product(["icarus"], SMALL), ("verilator", "loaded columns")]


@pytest.mark.parametrize(("simulator", "which"), RUNS)
def test_unit(which: str, simulator: str, tmp_path: Path) -> None:
    seen = verified(small(tmp_path, SMALL[which]), tmp_path, simulator, [*PATTERNS, RESTART])
    assert seen.messages == []
    assert seen.tests == len(PATTERNS) + 1
    assert seen.cycles_measured == seen.cycles_predicted


@pytest.mark.parametrize("which", SMALL)
def test_no_warnings(which: str, tmp_path: Path) -> None:
    unit = small(tmp_path, SMALL[which])
    assert lint(unit_verilog(unit), unit.name, tmp_path) == []


def test_shipped_unit(tmp_path: Path) -> None:
    unit = load_mac_unit(models_folder() / "mac-array-16x8.yaml")
    seen = verified(unit, tmp_path)
    assert seen.messages == []
    assert seen.cycles_measured == seen.cycles_predicted


CODES = ["int8n", "int8", "int2n", "binary", *(f"po2_{n}" for n in range(2, 7))]

PAIRS = [
    *((code, True, signed) for code in CODES for signed in (True, False)),
    *((code, False, signed) for code in ("int8n", "int8") for signed in (True, False)),
]


@pytest.mark.parametrize(("code", "dsp", "signed"), PAIRS)
def test_every_pair_of_operands(code: str, dsp: bool, signed: bool, tmp_path: Path) -> None:
    """Every weight of a code times every activation of 8 bits, through the hardware.

    Each output has one weight, each vector one activation, so that an output is a product.
    """
    every = parse_code(code)
    weights = every.weights
    assert len(np.unique(weights)) == len(weights) == every.levels
    assert np.array_equal(every.restored(every.stored(weights)), weights)
    np.save(tmp_path / "w.npy", weights[:, None])
    rows = max(n for n in range(1, 17) if len(weights) % n == 0)
    unit = small(
        tmp_path,
        {"outputs": len(weights), "inputs": 1, "rows": rows, "simd": 1, "columns": 2, "dsp": dsp}
        | {"activation": {"bits": 8, "signed": signed}}
        | {"weights": {"code": code, "file": "w.npy"}},
    )
    activations = np.arange(-128, 128) if signed else np.arange(256)
    assert np.array_equal(products_of(unit, activations[:, None]), np.outer(activations, weights))
    (seen,) = verify_mac_unit(
        unit, vectors={"icarus": activations[:, None]}, seed=1, folder=tmp_path, patterns=["none"]
    )
    assert seen.messages == []
    assert seen.words * rows * 2 == len(weights) * 256


def test_a_flipped_bit_of_a_weight_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = small(tmp_path, SMALL["one column"])
    text = with_flipped_weight(unit_verilog(unit), f"{unit.name}.unit.mac_array")
    monkeypatch.setattr(units, "unit_verilog", lambda _: text)
    seen = verified(unit, tmp_path)
    assert not seen.ok
    assert seen.wrong > 0
    assert "m_axis: vector " in seen.messages[0]


def test_a_damaged_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the words, and by the checksum and the status."""
    unit = small(tmp_path, SMALL["from a file"])
    ((name, text),) = unit_memory_files(unit).items()
    damaged = text.replace("1", "2", 1)
    monkeypatch.setattr(units, "unit_memory_files", lambda _: {name: damaged})
    seen = verified(unit, tmp_path)
    assert seen.wrong > 0
    told = [message for message in seen.messages if message.startswith("none: ")]
    assert told[0] == "none: status is 25, not 9"
    assert told[1].startswith("none: checksum is ")


def test_a_cycle_too_many_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model whose fifth beat out is a cycle off."""

    def off(unit: MacUnit, matrices: int) -> MacCycles:
        cycles = mac_unit_cycles(unit, matrices)
        outputs = cycles.outputs.copy()
        outputs[4] += 1
        return replace(cycles, outputs=outputs)

    monkeypatch.setattr(mac_unit, "mac_unit_cycles", off)
    seen = verified(small(tmp_path, {}), tmp_path)
    assert seen.messages == ["none: outputs differ in time from beat 4 on"]


@pytest.mark.parametrize(("order", "late"), [("in_turn", 1), ("in_reverse", 0)])
def test_a_set_of_weights_for_each_pair_of_matrices(order: str, late: int, tmp_path: Path) -> None:
    """A set waits until the last product has left.

    Pairs of matrices and sets are offered in turn: the pair first, so that it is multiplied by the
    set before, or the set first. Taken at once, a set would overtake the second matrix.
    """
    unit = small(tmp_path, SMALL["loaded columns"])
    pairs, vectors = 3, random_vectors(unit, 6 * unit.columns, 1)
    sets = [weights for seed in range(pairs) if (weights := loaded_weights(unit, seed)) is not None]
    (device,) = unit_job(unit, None, vectors).devices
    words: list[int] = []
    beats = 2 * device.sink.beats
    for k, weights in enumerate([unit.layer.weight, *sets][1 - late :][:pairs]):
        (seen,) = unit_job(unit.with_weights(weights), None, vectors).devices
        words += seen.sink.words[k * beats : (k + 1) * beats]
    loads = [unit_job(unit, weights, vectors).preload[0] for weights in sets]
    entering, size = device.source, device.source.beats
    changed = replace(
        device,
        # A turn takes two matrices, whose first has a tlast, too.
        source=replace(
            entering,
            beats=2 * size,
            frames=[size] * (len(entering.words) // size),
        ),
        more_sources=[replace(loads[0], words=[word for load in loads for word in load.words])],
        sink=replace(device.sink, words=words),
        flag=None,
    )
    job = replace(unit_job(unit, None, vectors, patterns=[order]), devices=[changed])
    result = run(
        find_simulator("icarus"),
        unit_verilog(unit),
        unit.name,
        job,
        tmp_path / order,
        memories=unit_memory_files(unit),
    )
    assert result.messages == []
    assert result.outcomes[0]["registers"]["status"] == 0b00001


def test_a_set_without_its_last_word_lets_no_matrix_in(tmp_path: Path) -> None:
    unit = small(tmp_path, SMALL["loaded columns"])
    job = unit_job(unit, loaded_weights(unit, 1), random_vectors(unit, 7, 1), patterns=["none"])
    (weights,) = job.preload
    short = replace(weights, words=weights.words[:-1])
    seen = run(
        find_simulator("icarus"),
        unit_verilog(unit),
        unit.name,
        replace(job, preload=[short]),
        tmp_path / "short",
    )
    assert "no transfer for 20000 cycles: 0 of 9 words in" in seen.messages[0]


def test_equal_units_give_equal_bytes(tmp_path: Path) -> None:
    first, second = (small(tmp_path, SMALL["loaded columns"]) for _ in range(2))
    assert unit_verilog(first) == unit_verilog(second)


def test_columns_share_the_weight_memory(tmp_path: Path) -> None:
    """Memory and words are those of one column, cells as many times more."""
    one = small(tmp_path, SMALL["loaded columns"] | {"columns": 1})
    three = small(tmp_path, SMALL["loaded columns"])
    assert array_of(one).content.words == array_of(three).content.words
    assert three.cells == 3 * one.cells == 36
    size = array_of(one).content.width, array_of(one).content.depth
    assert [declared_memories(unit_verilog(unit))[size] for unit in (one, three)] == [1, 1]
