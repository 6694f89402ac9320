"""Inside the simulator: start the bench in Verilog, once for each pause pattern, and read it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import cocotb
import numpy as np
from cocotb.handle import HierarchyObject
from cocotb.triggers import First, RisingEdge

from fxsim.testbenches.bench.axi_lite import Master
from fxsim.testbenches.bench.channel import Channel
from fxsim.testbenches.bench.cocotb_registers import read_registers, write_registers
from fxsim.testbenches.bench.findings import DeviceFindings, Findings, StreamFindings
from fxsim.testbenches.bench.job import TURNS, Device, Job, Part, idles, parts_of, slow
from fxsim.testbenches.bench.outcome import FOLDER, Subject
from fxsim.testbenches.bench.rules import Fault, told
from fxsim.testbenches.bench.scoreboard import locate
from fxsim.testbenches.bench.streams import clock_of, read_word, resolve

_FOLDER, _SUBJECT = Path(os.environ[FOLDER]), Subject.of_this_run()
_JOB = Job.read(_FOLDER)
_TIMES = "times.bin"


@cocotb.test()
@cocotb.parametrize(pattern=_JOB.patterns)
async def stream(dut: HierarchyObject, pattern: str) -> None:
    """Every word equals the expected one, every stream keeps the rules, nothing is left over."""
    findings = Findings(pattern)
    seed = _JOB.seed + 1000 * _JOB.patterns.index(pattern)
    try:
        for part in parts_of(pattern, seed):
            await play(dut, pattern, part)
            loads, devices = read(dut)
            findings.broken += loads
            if not loads:
                findings.add(devices, number(dut, "run.ended"))
            if findings.broken:
                break
        if _JOB.registers is not None and not findings.broken:
            clock = clock_of(dut, "clk")
            findings.registers = await read_registers(dut, clock, _JOB.registers)
    except AssertionError as error:  # of registers; a wrong word, if there is one, tells more
        findings.broken.append(str(error))
    findings.write(_SUBJECT, _FOLDER)
    (_FOLDER / _TIMES).unlink(missing_ok=True)
    assert not findings.messages, "; ".join(findings.messages)


async def play(dut: HierarchyObject, pattern: str, part: Part) -> None:
    """Let the bench run one part."""
    clock, registers = clock_of(dut, "clk"), _JOB.registers
    control = {
        "seed": part.seed,
        "limit": part.limit or 0,
        "idle": int(idles(pattern)),
        "slow": int(slow(pattern)),
        "turn": 1 + TURNS.index(pattern) if pattern in TURNS else 0,
        "play": int(registers is None),
    }
    resolve(dut, "go").value = 0
    for name, value in control.items():
        resolve(dut, name).value = value
    await RisingEdge(clock)
    await RisingEdge(clock)
    resolve(dut, "go").value = 1
    if registers is not None:
        await First(RisingEdge(clock_of(dut, "run.halted")), RisingEdge(clock_of(dut, "run.done")))
        if not number(dut, "run.done"):
            master = Master(dut, registers.prefix, idles(pattern), part.seed)
            await write_registers(clock, master, registers)
            resolve(dut, "play").value = 1
    if not number(dut, "run.done"):
        await RisingEdge(clock_of(dut, "run.done"))
    for _ in range(2):  # the file with the times is closed at the falling edge between
        await RisingEdge(clock)


def read(dut: HierarchyObject) -> tuple[list[str], list[DeviceFindings]]:
    """What is wrong with what was loaded, and what was found about each device."""
    times, channels = _read_times(), iter(enumerate(_JOB.channels))
    loads = []
    for k, channel in islice(channels, len(_JOB.preload)):
        seen = read_stream(dut, k, channel, [])
        if number(dut, f"load{k}.stalled"):
            loads.append(f"{channel.name} hangs")
        loads += [str(text) for text in (seen.first, seen.broken) if text is not None]
    devices = [
        read_device(dut, k, device, [next(channels) for _ in device.channels], times)
        for k, device in enumerate(_JOB.devices)
    ]
    return loads[:1], devices


def read_device(
    dut: HierarchyObject,
    place: int,
    device: Device,
    channels: Sequence[tuple[int, Channel]],
    times: dict[int, list[int]],
) -> DeviceFindings:
    """What was found about one device."""
    watch, flag = f"device{place}", None
    if number(dut, f"{watch}.fault"):
        bit, cycle = bit_of(dut, f"{watch}.fault_bit"), number(dut, f"{watch}.fault_cycle")
        flag = f"{device.flag} is {bit} at cycle {cycle}"
    return DeviceFindings(
        device=device,
        streams=[read_stream(dut, k, channel, times.get(k, [])) for k, channel in channels],
        flag=flag,
        hung=bool(number(dut, f"{watch}.stalled")),
    )


def read_stream(
    dut: HierarchyObject, place: int, channel: Channel, times: list[int]
) -> StreamFindings:
    """What was found about one stream."""
    name = f"monitor{place}"
    first, broken = None, None
    if wrong := number(dut, f"{name}.wrong"):
        first = locate(
            channel,
            number(dut, f"{name}.first_place"),
            read_word(resolve(dut, f"{name}.first_word")),
            number(dut, f"{name}.first_cycle"),
        )
    if code := number(dut, f"{name}.fault"):
        cycle, bit = number(dut, f"{name}.fault_cycle"), bit_of(dut, f"{name}.fault_bit")
        broken = told(Fault(code), channel, cycle, bit)
    return StreamFindings(
        channel=channel,
        seen=number(dut, f"{name}.seen"),
        wrong=wrong,
        first=first,
        broken=broken,
        times=times,
    )


def number(dut: HierarchyObject, path: str) -> int:
    """Value of a number of the bench, which is always known."""
    return int(resolve(dut, path).value)


def bit_of(dut: HierarchyObject, path: str) -> str:
    """Value of a bit as text: 0, 1, X or Z."""
    return str(resolve(dut, path).value)


def _read_times() -> dict[int, list[int]]:
    """Cycles in which words passed, by the number of the channel."""
    data = np.frombuffer((_FOLDER / _TIMES).read_bytes(), "<u4").reshape(-1, 2)
    return {k: data[data[:, 0] == k, 1].tolist() for k in set(data[:, 0].tolist())}
