"""Inside the simulator: run a `Job` from Python, a step a clock cycle, once for each pause pattern.

The slow way, for looks with a debugger; `cocotb_harness.py` finds the same with the bench in
Verilog.
"""

from __future__ import annotations

import os
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge

from fxsim.testbenches.bench.axi_lite import Master
from fxsim.testbenches.bench.channel import Channel
from fxsim.testbenches.bench.cocotb_registers import read_registers, write_registers
from fxsim.testbenches.bench.findings import DeviceFindings, Findings
from fxsim.testbenches.bench.job import (
    PATIENCE,
    QUIET,
    TURNS,
    Device,
    Job,
    idles,
    parts_of,
    slow,
)
from fxsim.testbenches.bench.outcome import FOLDER, Subject
from fxsim.testbenches.bench.pauses import Pauses
from fxsim.testbenches.bench.streams import Monitor, Pause, Sink, Source, Turn, clock_of, resolve

_FOLDER, _SUBJECT = Path(os.environ[FOLDER]), Subject.of_this_run()
_JOB = Job.read(_FOLDER)


class Bench:
    """One device between its sources and its sinks, one step a clock cycle."""

    def __init__(self, dut: HierarchyObject, device: Device, pattern: str, seed: int):
        self._device = device
        self._taken_in = [Monitor(dut, channel) for channel in device.sources]
        self._taken_out = [Monitor(dut, channel) for channel in device.sinks]
        self._probes = [Monitor(dut, channel) for channel in device.probes]
        self._monitors = [*self._taken_in, *self._taken_out, *self._probes]
        self._flag = resolve(dut, device.flag) if device.flag else None
        self._lie: str | None = None
        self._framing_broken, self._hung = False, False
        # Pauses of the first source and sink stay what they are when a device gets more of them.
        give: list[Pause] = [
            Pauses(idles(pattern), seed + 1000 * k) for k in range(len(device.sources))
        ]
        take: list[Pause] = [
            Pauses(slow(pattern), seed + 1 + 1000 * k) for k in range(len(device.sinks))
        ]
        if pattern in TURNS:
            order = -1 if pattern == TURNS[1] else 1
            give = [*Turn.of(self._taken_in, order)]
            take = [*Turn.of(self._taken_out, order)]
        self._sources = [
            Source(dut, channel, pause) for channel, pause in zip(device.sources, give, strict=True)
        ]
        self._sinks = [
            Sink(dut, channel, pause, patient=slow(pattern))
            for channel, pause in zip(device.sinks, take, strict=True)
        ]
        self._taken = [False] * len(self._sources)
        self._quiet = 0

    def drive(self) -> None:
        """Set up the next cycle."""
        for source, taken in zip(self._sources, self._taken, strict=True):
            source.step(taken)
        for sink, monitor in zip(self._sinks, self._taken_out, strict=True):
            sink.step(monitor.valid)

    def sample(self, cycle: int) -> bool:
        """Look at the values that the clock edge samples; return whether more is to come."""
        if self._flag is not None and str(self._flag.value) != str(int(self._framing_broken)):
            self._lie = f"{self._device.flag} is {self._flag.value} at cycle {cycle}"
        self._taken = [monitor.step(cycle) for monitor in self._taken_in]
        for taken, monitor in zip(self._taken, self._taken_in, strict=True):
            if taken and monitor.board.seen - 1 in monitor.board.channel.misframed:
                self._framing_broken = True
        moved = [monitor.step(cycle) for monitor in self._taken_out]
        for probe in self._probes:
            probe.step(cycle)
        self._quiet = 0 if any(self._taken) or any(moved) else self._quiet + 1
        if all(monitor.board.done for monitor in self._taken_out):
            return self._quiet < QUIET
        self._hung = self._quiet >= PATIENCE
        return True

    @property
    def broken(self) -> bool:
        """True if a rule was broken."""
        return (
            self._lie is not None
            or self._hung
            or any(monitor.broken is not None for monitor in self._monitors)
        )

    @property
    def findings(self) -> DeviceFindings:
        """What was found so far."""
        return DeviceFindings(
            device=self._device,
            streams=[monitor.findings for monitor in self._monitors],
            flag=self._lie,
            hung=self._hung,
        )


async def start(dut: HierarchyObject, pattern: str, seed: int) -> list[Bench]:
    """Reset all devices and put benches around them."""
    benches = [Bench(dut, device, pattern, seed + 2 * k) for k, device in enumerate(_JOB.devices)]
    idle, registers = idles(pattern), _JOB.registers
    sources = [Source(dut, channel, Pauses(idle, seed + 7)) for channel in _JOB.preload]
    master = None if registers is None else Master(dut, registers.prefix, idle, seed)
    clock, reset = clock_of(dut, _JOB.clock), resolve(dut, _JOB.reset)
    reset.value = _JOB.reset_active
    for _ in range(3):
        await RisingEdge(clock)
    reset.value = 1 - _JOB.reset_active
    for _ in range(1 + _JOB.settle):
        await RisingEdge(clock)
    for source, channel in zip(sources, _JOB.preload, strict=True):
        await preload(dut, source, channel)
    if registers is not None and master is not None:
        await write_registers(clock, master, registers)
    return benches


async def preload(dut: HierarchyObject, source: Source, channel: Channel) -> None:
    """Stream in all words of a channel."""
    edge, monitor = RisingEdge(clock_of(dut, _JOB.clock)), Monitor(dut, channel)
    cycle, quiet, taken = 0, 0, False
    while not monitor.board.done:
        source.step(taken)
        await edge
        cycle += 1
        taken = monitor.step(cycle)
        quiet = 0 if taken else quiet + 1
        assert monitor.broken is None, monitor.broken
        assert quiet < PATIENCE, f"{channel.name} hangs"
    resolve(dut, channel.valid).value = 0


async def play(dut: HierarchyObject, benches: list[Bench], limit: int | None) -> int:
    """Run all benches to their end, or for ``limit`` cycles; return the number of cycles."""
    edge = RisingEdge(clock_of(dut, _JOB.clock))
    cycle, active = 0, benches
    while active and cycle != limit and not any(bench.broken for bench in benches):
        for bench in active:
            bench.drive()
        await edge
        cycle += 1
        active = [bench for bench in active if bench.sample(cycle)]
    return cycle


@cocotb.test()
@cocotb.parametrize(pattern=_JOB.patterns)
async def stream(dut: HierarchyObject, pattern: str) -> None:
    """Every word equals the expected one, every stream keeps the rules, nothing is left over."""
    findings = Findings(pattern)
    clock = clock_of(dut, _JOB.clock)
    Clock(clock, 10, unit="ns").start()
    try:
        for part in parts_of(pattern, _JOB.seed + 1000 * _JOB.patterns.index(pattern)):
            benches = await start(dut, pattern, part.seed)
            cycles = await play(dut, benches, part.limit)
            findings.add([bench.findings for bench in benches], cycles)
            if findings.broken:
                break
        if _JOB.registers is not None and not findings.broken:
            findings.registers = await read_registers(dut, clock, _JOB.registers)
    except AssertionError as error:  # a wrong word, if there is one, tells more: report both
        findings.broken.append(str(error))
    findings.write(_SUBJECT, _FOLDER)
    assert not findings.messages, "; ".join(findings.messages)
