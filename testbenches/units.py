"""Shared parts of the regressions of units: channels, runs, cycles and registers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from fxsim.arithmetic.formats import IntFormat
from fxsim.arithmetic.tensors import IntArray
from fxsim.errors import RangeError
from fxsim.folders import check_room
from fxsim.hw.edges.axi import lane_bytes
from fxsim.hw.emit import unit_memory_files, unit_verilog
from fxsim.network.units import AnyUnit
from fxsim.testbenches.bench.channel import Channel
from fxsim.testbenches.bench.job import PATTERNS, Job
from fxsim.testbenches.bench.packed import pack_words
from fxsim.testbenches.bench.simulators import find_simulator
from fxsim.testbenches.run import Bench, RunResult, files_of, run


@dataclass(frozen=True, kw_only=True)
class UnitRun(RunResult):
    """A `RunResult` of a unit.

    Parameters
    ----------
    vectors : int
        Of each pause pattern.
    cycles_predicted : int
    cycles_measured : int or None
        From the run without pauses, first beat in to last beat out; None when it did not end.
    counters : mapping of str to int
        What the registers held after that run, save those with unknown bits.
    """

    vectors: int
    cycles_predicted: int
    cycles_measured: int | None
    counters: Mapping[str, int]


@dataclass(frozen=True, kw_only=True, eq=False)
class Expected:
    """Claims that a unit must show next to its words.

    Parameters
    ----------
    vectors : int
    accepted, outputs : int64 arrays
        Cycles of the beats taken in and given out without pauses, from the first on.
    registers : mapping of str to int
        What registers hold after the run.
    paused : set of str
        Those of them that depend on pauses.
    sums : callable
        What is wrong with all registers together, or None.
    """

    vectors: int
    accepted: IntArray
    outputs: IntArray
    registers: Mapping[str, int]
    paused: frozenset[str] = frozenset()
    sums: Callable[[Mapping[str, int]], str | None] = field(default=lambda _: None)


def verify_runs(
    unit: AnyUnit,
    vectors: Mapping[str, IntArray],
    prepare: Callable[[IntArray], tuple[Job, Expected]],
    folder: Path,
    *,
    patterns: Sequence[str] = PATTERNS,
    bench: Bench = "verilog",
) -> list[UnitRun]:
    """Run the job of some vectors on each simulator, and compare what it came to.

    Parameters
    ----------
    vectors : mapping of str to int64 array, shape (n, items)
        For each simulator, by its name.
    prepare : callable
        Makes the job of vectors.

    Raises
    ------
    RangeError
        If a simulator has no vectors.
    MissingToolError, FileError
        If a simulator is missing, or a file would be overwritten, before anything takes time.
    """
    simulators = {name: find_simulator(name) for name in vectors}
    memories = unit_memory_files(unit)
    for name in vectors:
        check_room(folder / name, files_of(patterns, memories))
    verilog, results = unit_verilog(unit), []
    for name, batch in vectors.items():
        if len(batch) == 0:
            raise RangeError(f"vectors must be at least 1, not 0 ({name})")
        job, expected = prepare(batch)
        place = folder / name
        seen = run(
            *(simulators[name], verilog, unit.name, job, place),
            memories=memories,
            bench=bench,
        )
        results.append(_compared(seen, expected))
    return results


def _compared(seen: RunResult, expected: Expected) -> UnitRun:
    """Add what is wrong with cycles and registers to the messages of a run."""
    messages, measured, counters = list(seen.messages), None, dict[str, int]()
    for outcome in seen.outcomes:
        pattern, read, (moved,) = (outcome[key] for key in ("pattern", "registers", "devices"))
        if not read:  # a run that broke off has said so already
            continue
        exact = pattern == "none"
        for name, want in expected.registers.items():
            got = read[name]  # text, where bits are unknown
            if got != want and (exact or name not in expected.paused or isinstance(got, str)):
                messages.append(f"{pattern}: {name} is {got}, not {want}")
        registers = {name: value for name, value in read.items() if isinstance(value, int)}
        if len(registers) == len(read) and (wrong := expected.sums(registers)):
            messages.append(f"{pattern}: {wrong}")
        if exact:
            counters = registers
            measured = moved["outputs"][-1] - moved["inputs"][0] + 1
            messages += _late(moved, expected)
    base = {item.name: getattr(seen, item.name) for item in fields(RunResult)}
    return UnitRun(
        **{**base, "messages": messages, "failed": len(messages)},
        vectors=expected.vectors,
        cycles_predicted=int(expected.outputs[-1]) + 1,
        cycles_measured=measured,
        counters=counters,
    )


def _late(moved: Mapping[str, Any], expected: Expected) -> list[str]:
    """Ports whose beats did not pass in the cycles that were predicted."""
    messages = []
    for port, times in (("inputs", expected.accepted), ("outputs", expected.outputs)):
        took = np.array(moved[port]) - moved["inputs"][0]
        if not np.array_equal(took, times):
            same = took.shape == times.shape
            place = int(np.flatnonzero(took != times)[0]) if same else 0
            messages.append(f"none: {port} differ in time from beat {place} on")
    return messages


def channel(
    port: str,
    *,
    lanes: int,
    stride: int,
    bits: int,
    signed: bool,
    beats: int,
    words: Sequence[int],
    frames: Sequence[int] = (),
) -> Channel:
    """Words of an AXI4-Stream port of the top module."""
    return Channel(
        name=port,
        data=f"{port}_tdata",
        valid=f"{port}_tvalid",
        ready=f"{port}_tready",
        last=f"{port}_tlast",
        lanes=lanes,
        stride=stride,
        bits=bits,
        signed=signed,
        beats=beats,
        words=words,
        frames=list(frames),
    )


def axis_channel(
    port: str, fmt: IntFormat, lanes: int, vectors: list[list[int]], pad: int = 0
) -> Channel:
    """Vectors at a port; lanes beyond the end of each hold ``pad``."""
    stride = 8 * lane_bytes(fmt)
    return channel(
        port,
        lanes=lanes,
        stride=stride,
        bits=fmt.bits,
        signed=fmt.signed,
        beats=-(-len(vectors[0]) // lanes),
        words=pack_words(vectors, lanes=lanes, stride=stride, pad=pad),
    )
