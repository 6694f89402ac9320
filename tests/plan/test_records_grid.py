# amaranth: UnusedElaboratable=no
"""Records x what reads them: each has a block, cycles, cells, memories and cases of its block.

mypy finds a ``match`` that forgets a record; here each pair is run once on a small example, and
what timing and plan say of it is what its hardware has.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest
from amaranth.hdl import ShapeLike
from amaranth.lib.wiring import Component, In, Member

from fxsim.arithmetic.codes import code_of
from fxsim.arithmetic.formats import AccumulatorMode, IntFormat, Overflow, Rounding
from fxsim.arithmetic.windows import Windows
from fxsim.cost.amounts import amounts
from fxsim.cost.facts import facts_of
from fxsim.hw.blocks.layouts import layout_of
from fxsim.hw.build import BLOCKS, build
from fxsim.hw.emit import verilog_of
from fxsim.hw.layer import Layer
from fxsim.network import Activation
from fxsim.plan.beat import Beat
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
from fxsim.plan.memories import memories_of
from fxsim.plan.records import Record, takes
from fxsim.plan.requantizer import RequantizerConfig
from fxsim.plan.resize import NarrowConfig, WidenConfig
from fxsim.plan.window import WindowConfig
from fxsim.targets.registry import TARGETS
from fxsim.testbenches.cases import blocks as cases
from fxsim.testbenches.cases.backward import Tied
from fxsim.testbenches.cases.gradient_cases import random_layer
from fxsim.timing.blocks import block_of, latency
from tests.declared import declared_memories

INT4, INT8 = IntFormat(bits=4, signed=True), IntFormat(bits=8, signed=True)
INT12, TERNARY = IntFormat(bits=12, signed=True), IntFormat(bits=2, signed=True, narrow=True)
BEAT = Beat(INT8, 3)

EXAMPLES: tuple[Record, ...] = (
    ConcatConfig(beat=BEAT, counts=(2, 1, 3)),
    ForkConfig(beat=BEAT, sinks=2),
    GreatestConfig(beat=BEAT, beats=4),
    GreatestPlaceConfig(format=INT8, place=IntFormat(bits=4, signed=False), lanes=3, beats=4),
    LstmCellConfig.from_layer(random_layer(np.random.default_rng(1), 3, 4)),
    MacArrayConfig(
        rows=2,
        simd=3,
        activation=INT8,
        code=code_of(TERNARY),
        accumulator=INT12,
        mode=AccumulatorMode.WIDE,
        weights=np.random.default_rng(2).integers(-1, 2, (4, 6)),
        bias=np.array([5, -6, 7, 8]),
    ),
    NarrowConfig(format=INT8, lanes_in=6, lanes_out=2, items=11),
    QueueConfig(beat=BEAT, depth=5),
    RequantizerConfig(
        lanes=2,
        items=4,
        accumulator=INT12,
        output=Activation(format=INT8, scale=1.0),
        multiplier=np.array([1, 2, 3, 4]),
        multiplier_bits=3,
        shift=2,
        rounding=Rounding.TIES_AWAY,
        overflow=Overflow.SATURATE,
        relu=True,
    ),
    SkidConfig(beat=BEAT),
    VectorBufferConfig(beat=BEAT, beats=4, tiles=2),
    WeightedSumConfig(
        formats=(INT8, INT4), multipliers=(3, 5), bias=-2, accumulator=INT12, lanes=3
    ),
    WidenConfig(format=INT8, lanes_in=2, lanes_out=6, items=11),
    WindowConfig(
        windows=Windows(channels=2, height=4, width=5, kernel=(2, 2)), format=INT8, simd=4
    ),
)
"""A small one of each record."""

CASES: dict[type[Record], str] = {
    ConcatConfig: "concat",
    ForkConfig: "fork",
    GreatestConfig: "pool",
    GreatestPlaceConfig: "argmax",
    MacArrayConfig: "mac_array",
    NarrowConfig: "resize",
    QueueConfig: "queue",
    RequantizerConfig: "requantizer",
    SkidConfig: "skid",
    VectorBufferConfig: "vector_buffer",
    WeightedSumConfig: "add",
    WidenConfig: "resize",
    WindowConfig: "window",
}
"""Cases of a record's block, by their name in `fxsim.testbenches.cases.blocks`."""

ABSENT: dict[tuple[type[Record], str], str] = {
    (LstmCellConfig, "cases"): "its words and cycles are those of whole layers, test_lstm.py",
}
"""Pairs that there are not, with the reason."""


def built(record: Record) -> None:
    """The block takes and gives the beats that the record says, in order."""
    members = build(record).signature.members
    streams = {name: member for name, member in members.items() if member.is_signature}
    given = streams.pop("o")
    taken = [member for member in streams.values() if member.flow is In]
    assert list(map(payload, taken)) == list(map(layout_of, takes(record)))
    assert payload(given) == layout_of(record.o)


def payload(member: Member) -> ShapeLike:
    """What a stream carries."""
    return member.signature.members["payload"].shape


def timed(record: Record) -> None:
    """Its latency is that of the block, and the machine has a block for it."""
    assert latency(record) == build(record).latency
    assert all(isinstance(size, int) for size in block_of(record).sizes)


def costed(record: Record) -> None:
    """Its facts are integers, of which every target makes amounts."""
    kind, facts = facts_of(record)
    assert all(type(value) is int and value >= 0 for value in facts.values()), facts
    for target in TARGETS:
        found = amounts(kind, facts, target)
        assert found[-1] == 1
        assert all(math.isfinite(amount) and amount >= 0 for amount in found)


def stored(record: Record) -> None:
    """Its memories are those that the Verilog of the block declares."""
    found = Counter[tuple[int, int]]()
    for memory in memories_of("block", record, "block"):
        found[memory.width, memory.depth] += memory.count
    assert found == declared_memories(verilog_of(top_of(build(record)), "block"))


def top_of(block: Component) -> Component:
    """A block as a top module, which no stream that is always ready can be a port of."""
    members = block.signature.members.values()
    watched = any(member.is_signature and member.signature.always_ready for member in members)
    return Tied(block, {}) if watched else block


def benched(record: Record) -> None:
    """A test bench has cases of its block, alone or within a layer."""

    def has(block: object) -> bool:
        if isinstance(block, Layer):
            return any(type(part.record) is type(record) for part in block.group.blocks())
        return type(block) is type(build(record))

    assert any(has(case.block) for case in cases.BLOCKS[CASES[type(record)]]())


STAGES: dict[str, Callable[[Record], None]] = {
    "hw": built,
    "timing": timed,
    "cost": costed,
    "memories": stored,
    "cases": benched,
}


def _name(record: Record) -> str:
    return type(record).__name__.removesuffix("Config")


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("record", EXAMPLES, ids=_name)
def test_every_record_goes_through_every_stage(record: Record, stage: str) -> None:
    if (type(record), stage) not in ABSENT:
        STAGES[stage](record)


def test_the_grid_has_every_record() -> None:
    records = set(get_args(Record))
    assert {type(record) for record in EXAMPLES} == records
    assert CASES.keys() | {record for record, stage in ABSENT if stage == "cases"} == records


def test_the_hardware_has_a_block_for_every_record() -> None:
    assert BLOCKS.keys() == set(get_args(Record))
