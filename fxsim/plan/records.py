"""Records: configurations of the blocks of `fxsim.hw`, one frozen record a block.

A record says what a block is and how large, never when it does what. Each has ``i`` and ``o``, the
beats that the block takes and gives, and ``ratio`` = (taken, given): ``given`` beats leave for
every ``taken`` beats that come. A block that takes several streams has ``operands``, the beat of
each, in place of ``i``.
"""

from __future__ import annotations

from typing import TypeAlias

from fxsim.plan.beat import Beat
from fxsim.plan.buffers import ConcatConfig, ForkConfig, QueueConfig, VectorBufferConfig
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
