# amaranth: UnusedElaboratable=no
"""Zero skipping: every pair and every product bit for bit, and every cycle as predicted."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from fxsim.hw.emit import verilog_of
from fxsim.testbenches.bench.job import PATTERNS, RESTART
from fxsim.testbenches.bench.simulators import SIMULATORS, find_simulator
from fxsim.testbenches.bench.words import Words
from fxsim.testbenches.cases.blocks import Bank, bank_job
from fxsim.testbenches.cases.sparse import SPARSE, SparseCase, check_cycles
from fxsim.testbenches.run import run
from fxsim.timing.skip_unit import ideal_cycles

PATTERNS_OF = {"units": [*PATTERNS, RESTART], "every_mask": ["none", "both"]}
SPEED_UP = {"sparsity80": 4.5, "sparsity95": 12}
"""Least speed-up over a dense array, by the name of the cases."""


@cache
def cases_of(about: str) -> tuple[list[SparseCase], str]:
    """Cases and Verilog; the same for both simulators."""
    cases = list(SPARSE[about]())
    return cases, verilog_of(Bank(cases), "sparse")


# For the wide arrays of the speed-ups, Icarus takes minutes.
RUNS = [
    *product(SIMULATORS, ["units"]),
    ("icarus", "every_mask"),
    pytest.param("verilator", "every_mask", marks=pytest.mark.slow),
    *product(["verilator"], SPEED_UP),
]


@pytest.mark.parametrize(("simulator", "about"), RUNS)
def test_sparse(
    about: str, simulator: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    cases, verilog = cases_of(about)
    patterns = PATTERNS_OF.get(about, ["none"])
    job = replace(bank_job(cases, seed=21), patterns=patterns)
    result = run(find_simulator(simulator), verilog, "sparse", job, tmp_path)
    assert result.messages == []
    assert result.tests == len(patterns)
    expected = sum(len(device.sink.words) for device in job.devices)
    for outcome in result.outcomes:
        assert outcome["words"] == expected or outcome["pattern"] == RESTART
    record_property("configurations", len(cases))
    record_property("words", result.words)

    for case, seen in zip(cases, result.outcomes[0]["devices"], strict=True):
        check_cycles(case, seen)
        if about in SPEED_UP:
            check_speed(case, seen["outputs"][-1] - seen["inputs"][0] + 1, SPEED_UP[about])


def check_speed(case: SparseCase, measured: int, speed_up: float) -> None:
    """Promises of the unit, on measured cycles: near the ideal, and far below a dense array."""
    assert isinstance(case.given, Words)
    assert isinstance(case.expected, Words)
    gradients = np.array(case.given.vectors)
    pairs, tiles = int(np.count_nonzero(gradients)), 64 // case.expected.lanes
    beats = gradients.size // case.given.lanes
    assert measured <= 1.08 * ideal_cycles(pairs, beats=beats, issue=1, tiles=tiles)
    assert gradients.size * tiles >= speed_up * measured
