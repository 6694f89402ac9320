"""Inside the simulator: run a `Job`, once for each pause pattern."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

from testbenches.job import Job
from testbenches.streams import Monitor, Pauses, Sink, Source, resolve

_FOLDER = Path(os.environ["FXSIM_JOB"])
_JOB = Job.read(_FOLDER / "job.json")
_PATIENCE = 20_000  # cycles without a single transfer mean that the device hangs


@cocotb.test()
@cocotb.parametrize(pattern=_JOB.patterns)
async def stream(dut: Any, pattern: str) -> None:
    """Every word equals the expected one, every stream keeps the rules, nothing is left over."""
    clock = resolve(dut, _JOB.clock)
    edge = RisingEdge(clock)
    seed = _JOB.seed + 2 * _JOB.patterns.index(pattern)
    slow_sink = pattern in ("slow_sink", "both")
    source_pauses = Pauses(pattern in ("idle_source", "both"), seed)
    source = Source(dut, _JOB.source, source_pauses)
    sink = Sink(dut, _JOB.sink, Pauses(slow_sink, seed + 1), patient=slow_sink)
    sink_ready = resolve(dut, _JOB.sink.ready)
    sink_ready.value = 0
    reset = resolve(dut, _JOB.reset)
    reset.value = _JOB.reset_active
    Clock(clock, 10, unit="ns").start()
    for _ in range(3):
        await edge
    reset.value = 1 - _JOB.reset_active
    await edge

    taken_in = Monitor(dut, _JOB.source)
    taken_out = Monitor(dut, _JOB.sink)
    probes = [Monitor(dut, channel) for channel in _JOB.probes]
    cycle = quiet = 0
    taken = False
    expected = len(_JOB.sink.words)
    while taken_out.board.seen < expected:
        source.step(taken)
        sink.step()
        await edge
        cycle += 1
        taken = taken_in.step(cycle)
        moved = taken_out.step(cycle)
        for probe in probes:
            probe.step(cycle)
        quiet = 0 if taken or moved else quiet + 1
        assert quiet < _PATIENCE, (
            f"no transfer for {_PATIENCE} cycles: {taken_in.board.seen} of"
            f" {len(_JOB.source.words)} words in, {taken_out.board.seen} of {expected} out"
        )
    source.step(taken)
    for _ in range(50):  # a surplus word would show up now
        await edge
        cycle += 1
        taken_out.step(cycle)

    boards = [monitor.board for monitor in (*probes, taken_out)]
    wrong = [board.first for board in boards if board.first is not None]
    outcome = {
        "pattern": pattern,
        "cycles": cycle,
        "words": sum(board.seen for board in boards),
        "wrong": sum(board.wrong for board in boards),
        "mismatch": wrong[0].as_dict() if wrong else None,
        "inputs": taken_in.transfers,
        "outputs": taken_out.transfers,
    }
    (_FOLDER / f"outcome_{pattern}.json").write_text(json.dumps(outcome))
    assert not wrong, str(wrong[0])
    for board in boards:
        assert board.done, f"{board.channel.name}: only {board.seen} words"
