# amaranth: UnusedElaboratable=no
"""Each block by itself: every word, the rules of streams, latency and full throughput."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from fxsim.arithmetic.formats import AccumulatorMode
from fxsim.hw.emit import verilog_of
from fxsim.testbenches.bench.job import PATTERNS
from fxsim.testbenches.bench.simulators import SIMULATORS, find_simulator
from fxsim.testbenches.bench.words import Case
from fxsim.testbenches.cases.blocks import BLOCKS, Bank, bank_job
from fxsim.testbenches.run import run


@cache
def cases_of(top: str) -> tuple[list[Case], str]:
    """Cases and Verilog; the same for both simulators."""
    cases = list(BLOCKS[top]())
    return cases, verilog_of(Bank(cases), top)


RUNS = {"verilator": PATTERNS, "icarus": ("none", "both")}
"""Pause patterns; Icarus is ten times as slow."""


def due(case: Case, inputs: list[int]) -> Iterator[int]:
    return (inputs[0] + cycle for cycle in case.due)


@pytest.mark.parametrize("top", BLOCKS)
@pytest.mark.parametrize("simulator", SIMULATORS)
def test_block(top: str, simulator: str, tmp_path: Path) -> None:
    cases, verilog = cases_of(top)
    patterns = RUNS[simulator]
    job = replace(bank_job(cases, seed=11), patterns=list(patterns))
    result = run(find_simulator(simulator), verilog, top, job, tmp_path)
    assert result.messages == []
    assert result.tests == len(patterns)
    expected = sum(len(sink.words) for device in job.devices for sink in device.sinks)
    assert result.words == len(patterns) * expected
    print(f"{top} on {simulator}: {len(cases)} configurations, {result.words} words")

    (steady,) = [outcome for outcome in result.outcomes if outcome["pattern"] == "none"]
    for case, seen in zip(cases, steady["devices"], strict=True):
        if case.due:
            assert seen["outputs"] == list(due(case, seen["inputs"])), case.name


def test_accumulators_overflow_where_they_are_meant_to() -> None:
    cases, _ = cases_of("mac_array")
    for mode in (AccumulatorMode.WRAP, AccumulatorMode.SATURATE):
        assert sum(case.overflows > 0 for case in cases if f"_{mode}" in case.name) >= 8
    assert not any(case.overflows for case in cases if f"_{AccumulatorMode.WIDE}" in case.name)
