"""Inside the simulator: run an `AccessJob`, once for each pause pattern."""

from __future__ import annotations

import os
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge

from fxsim.testbenches.bench.axi_lite import AccessJob, Master
from fxsim.testbenches.bench.outcome import FOLDER, Subject
from fxsim.testbenches.bench.streams import clock_of, resolve

_FOLDER, _SUBJECT = Path(os.environ[FOLDER]), Subject.of_this_run()
_JOB = AccessJob.read(_FOLDER)
_PATIENCE = 5000  # cycles in which the accesses that are on their way must be answered


@cocotb.test()
@cocotb.parametrize(pattern=_JOB.patterns)
async def accesses(dut: HierarchyObject, pattern: str) -> None:
    """Every answer is the expected one.

    Writes are queued as they come, back to back; a read waits until all writes before it are
    answered, and a write until all reads before it are, so that what a read sees is certain.
    """
    seed = _JOB.seed + 1000 * _JOB.patterns.index(pattern)
    Clock(clock_of(dut, _JOB.clock), 10, unit="ns").start()
    master = Master(dut, _JOB.prefix, pattern != "none", seed)
    edge, reset = RisingEdge(clock_of(dut, _JOB.clock)), resolve(dut, _JOB.reset)
    for name, (value, _) in _JOB.signals.items():
        resolve(dut, name).value = value
    reset.value = _JOB.reset_active
    for _ in range(3):
        await edge
    reset.value = 1 - _JOB.reset_active

    cycle, place, last_move = 0, 0, 0
    writes = [access for access in _JOB.accesses if access.strobe is not None]
    reads = [access for access in _JOB.accesses if access.strobe is None]
    sent = {"write": 0, "read": 0}
    while len(master.written) < len(writes) or len(master.answers) < len(reads):
        while place < len(_JOB.accesses):
            access = _JOB.accesses[place]
            if access.strobe is not None and len(master.answers) == sent["read"]:
                master.write(access.address, access.data, access.strobe)
                sent["write"] += 1
            elif access.strobe is None and len(master.written) == sent["write"]:
                master.read(access.address)
                sent["read"] += 1
            else:
                break
            place += 1
        before = len(master.written) + len(master.answers)
        master.drive()
        await edge
        cycle += 1
        master.sample(cycle)
        last_move = cycle if len(master.written) + len(master.answers) > before else last_move
        assert cycle - last_move < _PATIENCE, f"no answer for {_PATIENCE} cycles"
    for _ in range(20):
        master.drive()
        await edge
        cycle += 1
        master.sample(cycle)

    for k, (access, response) in enumerate(zip(writes, master.written, strict=True)):
        assert response == access.response, f"write {k} ({access}): response {response}"
    for k, (access, answer) in enumerate(zip(reads, master.answers, strict=True)):
        assert answer == (access.response, access.data), f"read {k} ({access}): {answer}"
    for name, (_, last) in _JOB.signals.items():
        assert int(resolve(dut, name).value) == last, name
    outcome = {
        "pattern": pattern,
        "cycles": cycle,
        "words": len(writes) + len(reads),
        "wrong": 0,
        "mismatch": None,
        "answered": {name: [c for c, _ in port.transfers] for name, port in master.ports.items()},
    }
    _SUBJECT.write(_FOLDER, outcome)
