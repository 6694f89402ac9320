"""Records: configurations of the blocks of `fxsim.hw`, one frozen record a block.

A record says what a block is and how large, never when it does what. Each has ``i`` and ``o``, the
beats that the block takes and gives, and ``ratio`` = (taken, given): ``given`` beats leave for
every ``taken`` beats that come. A block that takes several streams has ``operands``, the beat of
each, in place of ``i``.
"""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias, assert_never

from fxsim.plan.beat import Beat
from fxsim.plan.buffers import ConcatConfig, ForkConfig, QueueConfig, SkidConfig, VectorBufferConfig
from fxsim.plan.elementwise import GreatestConfig, GreatestPlaceConfig, WeightedSumConfig
from fxsim.plan.lstm_cell import LstmCellConfig
from fxsim.plan.mac_array import MacArrayConfig
from fxsim.plan.requantizer import RequantizerConfig
from fxsim.plan.resize import NarrowConfig, WidenConfig
from fxsim.plan.window import WindowConfig

Record: TypeAlias = (
    ConcatConfig
    | ForkConfig
    | GreatestConfig
    | GreatestPlaceConfig
    | LstmCellConfig
    | MacArrayConfig
    | NarrowConfig
    | QueueConfig
    | RequantizerConfig
    | SkidConfig
    | VectorBufferConfig
    | WeightedSumConfig
    | WidenConfig
    | WindowConfig
)


def takes(record: Record) -> tuple[Beat, ...]:
    """Beat of each stream that a block takes."""
    match record:
        case WeightedSumConfig() | LstmCellConfig() | ConcatConfig():
            return record.operands
        case _:
            return (record.i,)


class Waits(Enum):
    """Why a block is not ready.

    STORES: what it holds is full. STALLS: the next one is not ready, and its own registers stand
    still. PASSES: the same, but it is so small that ready may lead on to the block before.
    """

    STORES = 1
    STALLS = 2
    PASSES = 3


def waits(record: Record) -> Waits:
    """Why a block is not ready."""
    match record:
        case VectorBufferConfig() | QueueConfig() | WindowConfig() | SkidConfig():
            return Waits.STORES
        case WidenConfig() | NarrowConfig() | ForkConfig():
            return Waits.PASSES
        case (
            ConcatConfig()
            | GreatestConfig()
            | GreatestPlaceConfig()
            | LstmCellConfig()
            | MacArrayConfig()
            | RequantizerConfig()
            | WeightedSumConfig()
        ):
            return Waits.STALLS
        case _:
            assert_never(record)
