"""A record of `fxsim.plan` -> its block."""

from collections.abc import Callable

from amaranth.lib.wiring import Component

from fxsim.hw.blocks.buffers import VectorBuffer
from fxsim.hw.blocks.concat import Concat
from fxsim.hw.blocks.fork import Fork
from fxsim.hw.blocks.greatest import Greatest
from fxsim.hw.blocks.greatest_place import GreatestPlace
from fxsim.hw.blocks.layouts import layout_of
from fxsim.hw.blocks.mac_array import MacArray
from fxsim.hw.blocks.queue import Queue
from fxsim.hw.blocks.requantizer import Requantizer
from fxsim.hw.blocks.resize import Narrow, Widen
from fxsim.hw.blocks.skid import Skid
from fxsim.hw.blocks.weighted_sum import WeightedSum
from fxsim.hw.blocks.window import Window
from fxsim.hw.lstm.cell import LstmCell
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


def _fork(config: ForkConfig) -> Fork:
    return Fork(layout_of(config.beat), sinks=config.sinks)


BLOCKS: dict[type, Callable[..., Component]] = {
    ConcatConfig: Concat,
    ForkConfig: _fork,
    GreatestConfig: Greatest,
    GreatestPlaceConfig: GreatestPlace,
    LstmCellConfig: LstmCell,
    MacArrayConfig: MacArray,
    NarrowConfig: Narrow,
    QueueConfig: Queue,
    RequantizerConfig: Requantizer,
    SkidConfig: Skid,
    VectorBufferConfig: VectorBuffer,
    WeightedSumConfig: WeightedSum,
    WidenConfig: Widen,
    WindowConfig: Window,
}
"""Functions that make the block of each record."""


def build(record: Record) -> Component:
    """Block of a record."""
    return BLOCKS[type(record)](record)
