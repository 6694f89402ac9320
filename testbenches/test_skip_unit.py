"""Zero-skipping units with their AXI ports: words, cycles, counters, weights, framing."""

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fxsim.arithmetic.formats import IntFormat
from fxsim.hw.emit import unit_verilog
from fxsim.network.skip_unit import SkipProduct, SkipUnit
from fxsim.shipped import models_folder
from fxsim.simulator import gradient_traces
from fxsim.spec.skip_unit import load_skip_unit
from fxsim.testbenches import skip_unit, units
from fxsim.testbenches.bench.job import PATTERNS, RESTART, Job
from fxsim.testbenches.bench.simulators import SIMULATORS, Simulator
from fxsim.testbenches.cases.sparse_data import fill, masks
from fxsim.testbenches.run import RunResult, run
from fxsim.testbenches.skip_unit import verify_unit

SMALL = """
kind: zero-skip
name: small_unit
unit: matvec
gradient: {bits: 6}
items: 21
lanes: 4
issue: 2
depth: 2
matvec:
  outputs: 7
  rows: 3
  weights: {levels: 15, seed: 3, load: LOAD}
  requantize: {multiplier: 201}
  output: {bits: 9}
"""


def small(folder: Path, *, load: bool) -> SkipUnit:
    path = folder / "small.yaml"
    path.write_text(SMALL.replace("LOAD", "true" if load else "false"))
    return load_skip_unit(path)


def product_of(unit: SkipUnit) -> SkipProduct:
    assert unit.product is not None
    return unit.product


def units_of(folder: Path) -> dict[str, SkipUnit]:
    loadable, fixed = small(folder, load=True), small(folder, load=False)
    matrix = product_of(fixed)
    return {
        "loadable": loadable,
        "fixed": replace(
            fixed,
            issue=1,
            items=16,
            product=replace(matrix, rows=7, weights=matrix.weights[:16]),
        ),
        "skipper": SkipUnit(
            name="skipper_unit",
            gradient=IntFormat(bits=9, signed=True),
            items=19,
            lanes=5,
            issue=3,
            depth=4,
            product=None,
        ),
        "one_pair": SkipUnit(
            name="pair_unit",
            gradient=IntFormat(bits=5, signed=False),
            items=300,
            lanes=16,
            issue=1,
            depth=1,
            product=None,
        ),
    }


# A build for Verilator takes long; those of the other two differ in sizes only.
RUNS = [
    *product(SIMULATORS, ["loadable", "skipper"]),
    *product(["icarus"], ["fixed", "one_pair"]),
]


@pytest.mark.parametrize(("simulator", "which"), RUNS)
def test_unit(which: str, simulator: str, tmp_path: Path) -> None:
    unit = units_of(tmp_path)[which]
    vectors = fill(masks(unit.items, unit.lanes, 5), unit.gradient, 5)
    threshold = {"loadable": 9, "fixed": 0, "skipper": 100, "one_pair": 3}[which]
    (seen,) = verify_unit(
        unit,
        vectors={simulator: vectors},
        threshold=threshold,
        seed=4,
        folder=tmp_path,
        patterns=[*PATTERNS, RESTART],
    )
    assert seen.messages == []
    assert seen.tests == len(PATTERNS) + 1
    assert seen.cycles_measured == seen.cycles_predicted
    assert 0 < seen.counters["skipped"] < seen.counters["operands"]
    if which == "one_pair":
        assert seen.counters["full"] > 0


@pytest.mark.parametrize(
    ("name", "simulator"), [("zero-skip-64", "verilator"), ("zero-skipper", "icarus")]
)
def test_shipped_unit_on_real_gradients(name: str, simulator: str, tmp_path: Path) -> None:
    unit = load_skip_unit(models_folder() / f"{name}.yaml")
    vectors = gradient_traces.load("middle").backward.dnet.reshape(-1, unit.items)[:100]
    (seen,) = verify_unit(
        unit,
        vectors={simulator: vectors},
        threshold=1,
        seed=1,
        folder=tmp_path,
        patterns=["none"],
    )
    assert seen.messages == []
    assert seen.cycles_measured == seen.cycles_predicted


def test_a_wrong_counter_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The counters of another threshold, and of a model that is a cycle off."""
    unit = units_of(tmp_path)["skipper"]
    vectors = fill(masks(unit.items, unit.lanes, 5), unit.gradient, 5)
    right = skip_unit.counters_of
    monkeypatch.setattr(
        skip_unit,
        "counters_of",
        lambda *rest: (counted := right(*rest)) | {"starved": counted["starved"] + 1},
    )
    (seen,) = verify_unit(
        unit, vectors={"icarus": vectors}, threshold=2, seed=4, folder=tmp_path, patterns=["none"]
    )
    assert not seen.ok
    assert seen.messages[0].startswith("none: starved is ")


def test_unknown_bits_of_a_counter_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a value comes as text, and has no part in the sums."""
    unit = units_of(tmp_path)["skipper"]
    vectors = fill(masks(unit.items, unit.lanes, 5), unit.gradient, 5)

    def with_unknown_bits(
        simulator: Simulator, verilog: str, top: str, job: Job, folder: Path, **rest: Any
    ) -> RunResult:
        seen = run(simulator, verilog, top, job, folder, **rest)
        for outcome in seen.outcomes:
            outcome["registers"]["busy"] = "0X"
        return seen

    monkeypatch.setattr(units, "run", with_unknown_bits)
    (seen,) = verify_unit(
        unit,
        vectors={"icarus": vectors},
        threshold=2,
        seed=4,
        folder=tmp_path,
        patterns=["none", "both"],
    )
    assert [message.partition(",")[0] for message in seen.messages] == [
        "none: busy is 0X",
        "both: busy is 0X",
    ]
    assert "busy" not in seen.counters
    assert seen.counters["starved"] > 0


def test_equal_units_give_equal_bytes(tmp_path: Path) -> None:
    unit = units_of(tmp_path)["loadable"]
    assert unit_verilog(unit) == unit_verilog(small(tmp_path, load=True))
    assert np.any(product_of(unit).weights)
