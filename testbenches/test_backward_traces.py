# amaranth: UnusedElaboratable=no
"""The backward pass on recorded traces: every value of every step, and what skipping saves.

``pytest -m slow testbenches/test_backward_traces.py`` runs all sequences of all stages.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fxsim.hw.emit import verilog_of
from fxsim.testbenches.bench.job import PATTERNS
from fxsim.testbenches.bench.simulators import find_simulator
from fxsim.testbenches.bench.words import Words
from fxsim.testbenches.cases.backward_traces import recorded_cases
from fxsim.testbenches.cases.blocks import Bank, bank_job
from fxsim.testbenches.cases.sparse import SparseCase, check_cycles
from fxsim.testbenches.run import run

MACS = 16
"""Multipliers of each of the four products."""

SETTLE = 2000
"""Idle cycles after reset, in which the accumulators are cleared."""

SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("simulator", "count", "steps", "patterns"),
    [
        ("icarus", 1, 4, ["none"]),
        pytest.param("verilator", 16, 50, PATTERNS, marks=SLOW),
        pytest.param("icarus", 16, 50, ["none"], marks=SLOW),
    ],
)
def test_recorded_traces(
    simulator: str,
    count: int,
    steps: int,
    patterns: Sequence[str],
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    cases = list(recorded_cases(count=count, steps=steps, macs=MACS))
    whole = count == 16
    job = replace(bank_job(cases, seed=41), patterns=list(patterns), settle=SETTLE)
    verilog = verilog_of(Bank(cases), "backward")
    result = run(find_simulator(simulator), verilog, "backward", job, tmp_path, quick=not whole)
    assert result.messages == []
    assert result.tests == len(patterns)
    words = sum(
        len(channel.words) for device in job.devices for channel in (*device.sinks, *device.probes)
    )
    assert [outcome["words"] for outcome in result.outcomes] == [words] * len(patterns)
    record_property("words", result.words)
    for case, seen in zip(cases, result.outcomes[0]["devices"], strict=True):
        check_cycles(case, seen)
        if whole:
            check_speed(case, seen["outputs"][-1] - seen["inputs"][0] + 1)


def check_speed(case: SparseCase, measured: int) -> None:
    """All four products at least 4 times as fast as dense ones with as many MACs."""
    dnet, dx = case.watched["dnet"], case.expected
    assert isinstance(dnet, Words)
    assert isinstance(dx, Words)
    gradients = np.array(dnet.vectors)
    columns = max(len(dx.vectors[0]), gradients.shape[1] // 4)
    assert gradients.size * -(-columns // MACS) >= 4 * measured, case.name
