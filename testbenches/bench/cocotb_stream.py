"""Inside the simulator: run a `Job`, once for each pause pattern."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge

from fxsim.testbenches.bench.axi_lite import OKAY, Master
from fxsim.testbenches.bench.job import RESTART, TURNS, Channel, Device, Job
from fxsim.testbenches.bench.outcome import FOLDER, JOB, Subject
from fxsim.testbenches.bench.scoreboard import Scoreboard
from fxsim.testbenches.bench.streams import (
    Monitor,
    Pause,
    Pauses,
    Sink,
    Source,
    Turn,
    clock_of,
    read_bit,
    resolve,
)

_FOLDER, _SUBJECT = Path(os.environ[FOLDER]), Subject.of_this_run()
_JOB = Job.read(_FOLDER / JOB)
_PATIENCE = 20_000  # cycles without a single transfer mean that the device hangs
_SURPLUS = 50  # cycles after the last word in which another one would show up


class Bench:
    """One device between its sources and its sinks, one step a clock cycle."""

    def __init__(self, dut: HierarchyObject, device: Device, pattern: str, seed: int):
        self._device = device
        self._taken_in = [Monitor(dut, channel) for channel in device.sources]
        self._taken_out = [Monitor(dut, channel) for channel in device.sinks]
        self._probes = [Monitor(dut, channel) for channel in device.probes]
        self._flag = resolve(dut, device.flag) if device.flag else None
        self._framing_broken = False
        idle_source = pattern in ("idle_source", "both", RESTART)
        slow_sink = pattern in ("slow_sink", "both", RESTART)
        # Pauses of the first source and sink stay what they are when a device gets more of them.
        give: list[Pause] = [
            Pauses(idle_source, seed + 1000 * k) for k in range(len(device.sources))
        ]
        take: list[Pause] = [
            Pauses(slow_sink, seed + 1 + 1000 * k) for k in range(len(device.sinks))
        ]
        if pattern in TURNS:
            order = -1 if pattern == TURNS[1] else 1
            give = [*Turn.of(self._taken_in, order)]
            take = [*Turn.of(self._taken_out, order)]
        self._sources = [
            Source(dut, channel, pause) for channel, pause in zip(device.sources, give, strict=True)
        ]
        self._sinks = [
            Sink(dut, channel, pause, patient=slow_sink)
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
        if self._flag is not None:
            flag = read_bit(self._flag, self._device.flag, cycle)
            assert flag == self._framing_broken, f"{self._device.flag} is {flag} at cycle {cycle}"
        self._taken = [monitor.step(cycle) for monitor in self._taken_in]
        if self._taken[0] and self._taken_in[0].board.seen - 1 in self._device.source.inverted:
            self._framing_broken = True
        moved = [monitor.step(cycle) for monitor in self._taken_out]
        for probe in self._probes:
            probe.step(cycle)
        self._quiet = 0 if any(self._taken) or any(moved) else self._quiet + 1
        if all(monitor.board.done for monitor in self._taken_out):
            return self._quiet < _SURPLUS
        assert self._quiet < _PATIENCE, (
            f"{self._device.sink.name}: no transfer for {_PATIENCE} cycles:"
            f" {self._progress(self._taken_in)} words in, {self._progress(self._taken_out)} out"
        )
        return True

    @staticmethod
    def _progress(monitors: list[Monitor]) -> str:
        return ", ".join(monitor.board.progress for monitor in monitors)

    @property
    def boards(self) -> list[Scoreboard]:
        """Scoreboards of the outputs, in the order of the data."""
        return [monitor.board for monitor in (*self._probes, *self._taken_out)]

    @property
    def transfers(self) -> dict[str, Any]:
        """Cycles in which words were taken."""
        return {
            "inputs": self._taken_in[0].transfers,
            "outputs": self._taken_out[0].transfers,
            "more_outputs": [monitor.transfers for monitor in self._taken_out[1:]],
        }


async def start(dut: HierarchyObject, pattern: str, seed: int) -> list[Bench]:
    """Reset all devices and put benches around them."""
    benches = [Bench(dut, device, pattern, seed + 2 * k) for k, device in enumerate(_JOB.devices)]
    idle_source = pattern in ("idle_source", "both", RESTART)
    sources = [Source(dut, channel, Pauses(idle_source, seed + 7)) for channel in _JOB.preload]
    registers = _JOB.registers
    master = None if registers is None else Master(dut, registers.prefix, idle_source, seed)
    edge, reset = RisingEdge(clock_of(dut, _JOB.clock)), resolve(dut, _JOB.reset)
    reset.value = _JOB.reset_active
    for _ in range(3):
        await edge
    reset.value = 1 - _JOB.reset_active
    for _ in range(1 + _JOB.settle):
        await edge
    for source, channel in zip(sources, _JOB.preload, strict=True):
        await preload(dut, source, channel)
    if registers is not None and master is not None:
        for address, data in registers.writes:
            master.write(address, data)
        while len(master.written) < len(registers.writes):
            await access(dut, master)
        assert set(master.written) <= {OKAY}, f"responses to writes: {master.written}"
    return benches


async def preload(dut: HierarchyObject, source: Source, channel: Channel) -> None:
    """Stream in all words of a channel."""
    edge, monitor = RisingEdge(clock_of(dut, _JOB.clock)), Monitor(dut, channel)
    cycle, taken = 0, False
    while not monitor.board.done:
        source.step(taken)
        await edge
        cycle += 1
        assert cycle < _PATIENCE + 10 * len(channel.words), f"{channel.name} hangs"
        taken = monitor.step(cycle)
    resolve(dut, channel.valid).value = 0


async def read_registers(dut: HierarchyObject) -> dict[str, int | str]:
    """Values of all registers."""
    if _JOB.registers is None:
        return {}
    master, reads = Master(dut, _JOB.registers.prefix, False, 0), _JOB.registers.reads
    for address in reads.values():
        master.read(address)
    while len(master.answers) < len(reads):
        await access(dut, master)
    assert {response for response, _ in master.answers} == {OKAY}, f"answers: {master.answers}"
    return {name: data for name, (_, data) in zip(reads, master.answers, strict=True)}


async def access(dut: HierarchyObject, master: Master) -> None:
    """One cycle of an AXI4-Lite master."""
    master.drive()
    await RisingEdge(clock_of(dut, _JOB.clock))
    master.cycle += 1
    assert master.cycle < _PATIENCE, f"no answer for {_PATIENCE} cycles"
    master.sample(master.cycle)


async def play(dut: HierarchyObject, benches: list[Bench], limit: int | None = None) -> int:
    """Run all benches to their end, or for ``limit`` cycles; return the number of cycles."""
    edge = RisingEdge(clock_of(dut, _JOB.clock))
    cycle, active = 0, benches
    while active and cycle != limit:
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
    seed = _JOB.seed + 1000 * _JOB.patterns.index(pattern)
    limits: list[int | None] = [None]
    if pattern == RESTART:
        generator = random.Random(seed)
        limits = [*(generator.randint(1, 40 * cut) for cut in range(1, 6)), None]
    Clock(clock_of(dut, _JOB.clock), 10, unit="ns").start()
    benches: list[Bench] = []
    fresh: list[Bench] = []
    cycles, broken = 0, []
    registers: dict[str, int | str] = {}
    try:
        for part, limit in enumerate(limits):
            fresh = await start(dut, pattern, seed + 100 * part)
            benches += fresh
            cycles = await play(dut, fresh, limit)
        registers = await read_registers(dut)
    except AssertionError as error:  # a wrong word, if there is one, tells more: report both
        broken.append(str(error))

    boards = [board for bench in benches for board in bench.boards]
    wrong = [board.first for board in boards if board.first is not None]
    outcome = {
        "pattern": pattern,
        "cycles": cycles,
        "words": sum(board.seen for board in boards),
        "wrong": sum(board.wrong for board in boards),
        "mismatch": wrong[0].as_dict() if wrong else None,
        "devices": [bench.transfers for bench in fresh],
        "registers": registers,
    }
    _SUBJECT.write(_FOLDER, outcome)
    messages = [*map(str, wrong[:1]), *broken]
    for board in (board for bench in fresh for board in bench.boards):
        if not board.done:
            messages.append(f"{board.channel.name}: only {board.progress} words")
    assert not messages, "; ".join(messages)
