# amaranth: UnusedElaboratable=no
"""The backward pass: every gradient of every step bit for bit, and every cycle as predicted."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from fxsim.hw.emit import verilog_of
from fxsim.testbenches.bench.job import PATTERNS, RESTART
from fxsim.testbenches.bench.simulators import find_simulator
from fxsim.testbenches.cases.backward import BACKWARD
from fxsim.testbenches.cases.blocks import Bank, bank_job
from fxsim.testbenches.cases.sparse import SparseCase, check_cycles
from fxsim.testbenches.run import run

SETTLE = 400
"""Idle cycles after reset, in which random words are drawn and accumulators cleared."""


@cache
def cases_of(about: str) -> tuple[list[SparseCase], str]:
    """Cases and Verilog; the same for both simulators."""
    cases = list(BACKWARD[about]())
    return cases, verilog_of(Bank(cases), "backward")


ALL = [*PATTERNS, RESTART]
SLOW = pytest.mark.slow
RUNS = [
    ("verilator", "units", ALL),
    ("icarus", "units", ALL),
    ("verilator", "layer", ALL),
    ("icarus", "layer", ["none", "both", RESTART]),
    pytest.param("icarus", "layer", ALL, marks=SLOW),
    pytest.param("verilator", "gate_text", ALL, marks=SLOW),
    pytest.param("icarus", "gate_text", ["none"], marks=SLOW),
    pytest.param("verilator", "outer_masks", ALL, marks=SLOW),
    pytest.param("verilator", "layer_text", ALL, marks=SLOW),
    pytest.param("icarus", "layer_text", ["none"], marks=SLOW),
]


@pytest.mark.parametrize(("simulator", "about", "patterns"), RUNS)
def test_backward(
    about: str,
    simulator: str,
    patterns: list[str],
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    cases, verilog = cases_of(about)
    job = replace(bank_job(cases, seed=31), patterns=patterns, settle=SETTLE)
    result = run(find_simulator(simulator), verilog, "backward", job, tmp_path)
    assert result.messages == []
    assert result.tests == len(patterns)
    expected = sum(
        len(channel.words) for device in job.devices for channel in (*device.sinks, *device.probes)
    )
    for outcome in result.outcomes:
        assert outcome["words"] == expected or outcome["pattern"] == RESTART
    record_property("configurations", len(cases))
    record_property("words", result.words)

    for case, seen in zip(cases, result.outcomes[0]["devices"], strict=True):
        check_cycles(case, seen)
