"""Cycles that each block takes, and what it is to the machine of `fxsim.timing.machine`.

The hardware has its latencies from its own registers; the testbenches hold the two equal.
"""

from __future__ import annotations

from typing import assert_never

from fxsim.arithmetic.tables import Table
from fxsim.plan.buffers import (
    ConcatConfig,
    ForkConfig,
    QueueConfig,
    SkidConfig,
    VectorBufferConfig,
)
from fxsim.plan.elementwise import GreatestConfig, GreatestPlaceConfig, WeightedSumConfig
from fxsim.plan.lstm_cell import LstmCellConfig
from fxsim.plan.mac_array import MacArrayConfig
from fxsim.plan.records import Record
from fxsim.plan.requantizer import RequantizerConfig
from fxsim.plan.resize import NarrowConfig, WidenConfig
from fxsim.plan.window import WindowConfig
from fxsim.timing import parts
from fxsim.timing.dots import dot_latency


def latency(record: Record) -> int:
    """Cycles from the beat that completes what a block works on to the first that it gives."""
    match record:
        case WidenConfig() | NarrowConfig() | GreatestConfig() | GreatestPlaceConfig():
            return 1
        case ConcatConfig():
            return 1
        case VectorBufferConfig() | QueueConfig() | WindowConfig() | WeightedSumConfig():
            return 2
        case ForkConfig() | SkidConfig():
            return 0
        case MacArrayConfig():
            # Weight memory and accumulator take one cycle each, so does a register between.
            registers = 2 + record.content.registered
            return registers + dot_latency(record.code, record.simd, dsp=record.dsp)
        case RequantizerConfig():
            return 2 + record.scales + record.per_channel
        case LstmCellConfig():
            return _cell_latency(record)
        case _:
            assert_never(record)


def lookup_latency(table: Table) -> int:
    """Cycles from the input of a table to its output."""
    return 3 if table.step_bits else 2


def _cell_latency(record: LstmCellConfig) -> int:
    """Sum, gate tables, two for the new cell state, its table, two for the output.

    A shared multiplier takes one more for the second product, and those that the third product
    waits for its turn.
    """
    gates = max(lookup_latency(record.sigmoid), lookup_latency(record.tanh))
    tanh = lookup_latency(record.tanh)
    turn = 0 if record.multipliers == 3 else 1 + -(tanh + 1) % 3
    return 1 + gates + 2 + tanh + 2 + turn


def block_of(record: Record) -> parts.Block:
    """Block of the machine for a record of the plan."""
    match record:
        case WidenConfig():
            return parts.widen(record.parts, record.slim_beats)
        case NarrowConfig():
            return parts.narrow(record.parts, record.slim_beats)
        case VectorBufferConfig():
            return parts.buffer(record.beats, record.tiles)
        case WindowConfig():
            return parts.window(record)
        case QueueConfig():
            return parts.queue(record.depth)
        case SkidConfig():
            return parts.skid()
        case ForkConfig():
            return parts.fork()
        case WeightedSumConfig():
            return parts.join(latency(record))
        case MacArrayConfig() | RequantizerConfig() | GreatestConfig() | GreatestPlaceConfig():
            taken, _ = record.ratio
            return parts.pipe(taken, latency(record))
        case ConcatConfig():
            return parts.concat(record.counts)
        case LstmCellConfig():
            return parts.join(latency(record), record.spacing)
        case _:
            assert_never(record)
