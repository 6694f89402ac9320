"""Memories of the blocks: what they hold, and how large they are in the Verilog."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never

from fxsim.arithmetic.formats import MemoryStyle
from fxsim.plan.buffers import ConcatConfig, ForkConfig, QueueConfig, SkidConfig, VectorBufferConfig
from fxsim.plan.elementwise import GreatestConfig, GreatestPlaceConfig, WeightedSumConfig
from fxsim.plan.lstm_cell import GATES, LstmCellConfig
from fxsim.plan.mac_array import MacArrayConfig
from fxsim.plan.planner import Plan
from fxsim.plan.records import Record
from fxsim.plan.requantizer import RequantizerConfig, spanning
from fxsim.plan.resize import NarrowConfig, WidenConfig
from fxsim.plan.window import WindowConfig


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Memories of a block that are alike.

    Parameters
    ----------
    block : str
        Path of the block; empty at the edges of the network.
    holds : str
    width, depth : int
        Bits of a word, and words.
    count : int
        How many there are.
    constant : bool
        True if nothing is ever written to them.
    style : MemoryStyle
        Cells that they are to be made of; AUTO leaves that to the synthesizer.
    file : str, optional
        Name of the file that fills them; constants without one are in the Verilog.
    """

    block: str
    holds: str
    width: int
    depth: int
    count: int = 1
    constant: bool = False
    style: MemoryStyle = MemoryStyle.AUTO
    file: str | None = None

    @property
    def bits(self) -> int:
        """Bits of all of them."""
        return self.count * self.width * self.depth


def memories(plan: Plan) -> list[Memory]:
    """Every memory of a network's hardware, in the order of the data."""
    found = [
        memory
        for block in plan.blocks
        for memory in memories_of(block.path, block.record, plan.name)
    ]
    if plan.recurrent:
        # One for each layer with state, for each output, and for each input but the first.
        queues = len(plan.recurrent) + len(plan.outputs) + len(plan.inputs) - 1
        ends = Memory(
            block="", holds="ends of sequences", width=1, depth=plan.ends_depth, count=queues
        )
        found.append(ends)
    return found


def memories_of(path: str, record: Record, top: str) -> Iterator[Memory]:
    """Memories of a block at ``path`` in the hardware called ``top``."""
    match record:
        case VectorBufferConfig():
            yield Memory(block=path, holds="vectors", width=record.beat.bits, depth=record.depth)
        case QueueConfig():
            # A word of it is in the register by which it leaves.
            yield Memory(
                block=path, holds="waiting words", width=record.beat.bits, depth=record.depth - 1
            )
        case WindowConfig():
            yield Memory(
                block=path,
                holds="pixel rows",
                width=record.i.bits,
                depth=record.depth,
                count=record.banks,
            )
        case MacArrayConfig():
            content = record.content
            yield Memory(
                block=path,
                holds="weights",
                width=content.width,
                depth=content.depth,
                constant=not record.loadable,
                style=content.style,
                file=content.file(top) if content.filled else None,
            )
            if record.bias_varies:
                width = record.rows * record.accumulator.bits
                yield _constants(path, "biases", width, record.tiles)
        case RequantizerConfig():
            for holds, constants in record.memories.items():
                width = record.lanes * spanning(constants).bits
                yield _constants(path, holds, width, record.beats)
        case LstmCellConfig():
            yield Memory(block=path, holds="cells", width=record.cell.bits, depth=record.cells)
            sigmoid, tanh = record.sigmoid, record.tanh
            yield _constants(path, "sigmoid", sigmoid.bits, len(sigmoid.values), GATES - 1)
            # Of the candidate and of the cell state.
            yield _constants(path, "tanh", tanh.bits, len(tanh.values), 2)
        case (
            WidenConfig()
            | NarrowConfig()
            | ForkConfig()
            | SkidConfig()
            | ConcatConfig()
            | GreatestConfig()
            | GreatestPlaceConfig()
            | WeightedSumConfig()
        ):
            return
        case _:
            assert_never(record)


def _constants(path: str, holds: str, width: int, depth: int, count: int = 1) -> Memory:
    return Memory(block=path, holds=holds, width=width, depth=depth, count=count, constant=True)
