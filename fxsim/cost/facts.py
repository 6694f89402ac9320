"""The blocks of a network as the cost model sees them: of each record the sizes that cost cells.

Paths are those of the generated modules below the top (``layer0.mac_array``); what lies outside of
the blocks, the edges of the network and forks between layers, is the block of the empty path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

import numpy as np
import numpy.typing as npt

from fxsim.arithmetic.formats import AccumulatorMode, IntFormat, MemoryStyle, Overflow, Rounding
from fxsim.network import IntArray, QuantizedNetwork, varies
from fxsim.plan.buffers import ConcatConfig, ForkConfig, QueueConfig, SkidConfig, VectorBufferConfig
from fxsim.plan.elementwise import GreatestConfig, GreatestPlaceConfig, WeightedSumConfig
from fxsim.plan.lstm_cell import LstmCellConfig
from fxsim.plan.mac_array import MacArrayConfig
from fxsim.plan.planner import Plan, plan_network
from fxsim.plan.records import Record
from fxsim.plan.requantizer import RequantizerConfig
from fxsim.plan.resize import NarrowConfig, WidenConfig
from fxsim.plan.window import WindowConfig

REST = ""
"""Path of what lies outside of the blocks."""

Facts = Mapping[str, int]


@dataclass(frozen=True)
class Block:
    """A block: where it is, of which kind, and its sizes by name."""

    path: str
    kind: str
    facts: Facts


def blocks_of(network: QuantizedNetwork) -> list[Block]:
    """Every block of a network, in the order of the data, and the rest."""
    plan = plan_network(network)
    forks = {node.path for node in plan.group.nodes if isinstance(node.record, ForkConfig)}
    found = [
        Block(block.path, *facts_of(block.record))
        for block in plan.blocks
        if block.path not in forks
    ]
    return [*found, Block(REST, "rest", _rest(plan))]


def facts_of(record: Record) -> tuple[str, Facts]:
    """Kind of a block, and its sizes in a fixed order."""
    match record:
        case WidenConfig():
            return "widen", _resize(record, record.lanes_out, record.lanes_in)
        case NarrowConfig():
            return "narrow", _resize(record, record.lanes_in, record.lanes_out)
        case VectorBufferConfig(beat=beat, beats=beats, tiles=tiles):
            return "buffer", {"width": beat.bits, "beats": beats, "tiles": tiles}
        case QueueConfig(beat=beat, depth=depth):
            return "queue", {"width": beat.bits, "depth": depth}
        case SkidConfig(beat=beat):
            return "skid", {"bits": beat.bits}
        case ForkConfig(beat=beat):
            return "fork", {"bits": beat.bits}
        case ConcatConfig(beat=beat, counts=counts):
            return "concat", {"bits": beat.bits, "streams": len(counts), "beats": max(counts)}
        case GreatestConfig(beat=beat, beats=beats):
            return "greatest", {"lanes": beat.lanes, "bits": beat.format.bits, "beats": beats}
        case GreatestPlaceConfig():
            return "place", {
                "lanes": record.lanes,
                "bits": record.format.bits,
                "place": record.place.bits,
                "beats": record.beats,
            }
        case WeightedSumConfig():
            return "sum", _sum(record)
        case WindowConfig():
            return "window", _window(record)
        case MacArrayConfig():
            return "mac_array", _mac_array(record)
        case RequantizerConfig():
            return "requantizer", _requantizer(record)
        case LstmCellConfig():
            return "lstm_cell", _lstm_cell(record)
        case _:
            assert_never(record)


def _resize(record: WidenConfig | NarrowConfig, wide: int, slim: int) -> Facts:
    bits = record.format.bits
    return {
        "wide": wide * bits,
        "slim": slim * bits,
        "parts": record.parts,
        "beats": record.slim_beats,
    }


def _sum(record: WeightedSumConfig) -> Facts:
    multipliers = record.multipliers
    return {
        "lanes": record.lanes,
        "bits": sum(fmt.bits for fmt in record.formats),
        "multipliers": sum(multiplier.bit_length() for multiplier in multipliers),
        "ones": sum(multiplier.bit_count() for multiplier in multipliers),
        "accumulator": record.accumulator.bits,
    }


def _window(record: WindowConfig) -> Facts:
    windows, (rows, columns) = record.windows, record.taps
    return {
        "banks": record.banks,
        "tap_rows": rows,
        "tap_columns": columns,
        "width": record.i.bits,
        "depth": record.depth,
        "places": windows.places,
        "side": windows.width,
        "size": windows.size // record.simd,
        "repeats": record.repeats,
        "groups": windows.groups,
        "padding": max(windows.padding),
        "stride": max(windows.stride),
    }


def _mac_array(record: MacArrayConfig) -> Facts:
    content = record.content
    return {
        "rows": record.rows,
        "simd": record.simd,
        "weight": record.code.bits,
        "source": record.activation.bits,
        "signed": int(record.activation.signed),
        "accumulator": record.accumulator.bits,
        "tiles": record.tiles,
        "beats": record.beats,
        "multiplies": int(record.code.multiplies),
        "reach": int(record.code.magnitudes[-1]).bit_length(),
        "choices": len(record.code.magnitudes) if not record.code.multiplies else 0,
        "dsp": int(record.dsp),
        "saturate": int(record.mode is AccumulatorMode.SATURATE),
        "style": list(MemoryStyle).index(content.style),
        "registered": int(content.registered),
        # In block RAM the content costs nothing.
        "columns": 0 if content.checked else _columns(record.weight_words, record.code.bits),
        "bias_columns": _columns(np.array(record.bias_words), record.accumulator.bits),
    }


def _requantizer(record: RequantizerConfig) -> Facts:
    bits, constant = record.multiplier_bits, int(record.multiplier[0])
    offsets = [values for name, values in record.constants.items() if name != "multipliers"]
    varied, moved = varies(record.multiplier), any(map(varies, offsets))
    low, high = (int(end(list(map(end, offsets)))) for end in (np.min, np.max))
    added = IntFormat.spanning(low, high, signed=True).bits if low or high else 0
    return {
        "lanes": record.lanes,
        "accumulator": record.accumulator.bits,
        "multiplier": bits if varied or not bits else constant.bit_length(),
        "ones": 0 if varied else constant.bit_count(),
        "varied": int(varied),
        "offset": added,
        "moved": int(moved),
        "uneven": int(record.uneven),
        "shift": record.shift,
        "output": record.output.format.bits,
        "relu": int(record.relu),
        "saturate": int(record.overflow is Overflow.SATURATE),
        "floor": int(record.rounding is Rounding.FLOOR),
        "beats": record.beats,
        "columns": _columns(np.array(record.words(record.multiplier)), bits) if varied else 0,
        "offset_columns": sum(
            _columns(np.array(record.words(values)), added) for values in offsets if varies(values)
        ),
    }


def _lstm_cell(record: LstmCellConfig) -> Facts:
    return {
        "terms": record.first.bits + record.second.bits,
        "guard": record.guard_bits,
        "preactivation": record.tanh.input.bits,
        "sigmoid": record.sigmoid.bits,
        "tanh": record.tanh.bits,
        "step": record.tanh.step_bits,
        "cell": record.cell.bits,
        "fraction": record.cell_fraction,
        "output": record.output.bits,
        "cells": record.cells,
        "multipliers": record.multipliers,
    }


def _rest(plan: Plan) -> Facts:
    records = [block.record for block in plan.blocks]
    return {
        "in": sum(stream.beat.bits for stream in plan.inputs.values()),
        "out": sum(stream.beat.bits for stream in plan.outputs.values()),
        "beats_in": sum(stream.count for stream in plan.inputs.values()),
        "beats_out": sum(stream.count for stream in plan.outputs.values()),
        "layers": len(tuple(plan.layers)),
        "recurrent": int(bool(plan.recurrent)),
        "cells": sum(record.cells for record in records if isinstance(record, LstmCellConfig)),
        "forks": sum(
            node.record.sinks - 1
            for node in plan.group.nodes
            if isinstance(node.record, ForkConfig)
        ),
        "files": len(plan.files()),
    }


def _columns(words: IntArray, bits: int) -> int:
    """Bits of a ROM word that differ from each other and are not constant."""
    raised = (words[:, :, None] >> np.arange(bits)) & 1
    columns: npt.NDArray[np.bool_] = raised.reshape(len(words), -1).T.astype(bool)
    columns = columns ^ columns[:, :1]  # a bit and its complement are one
    distinct = {row.tobytes() for row in np.packbits(columns, axis=1)}
    return len(distinct - {bytes(-(-len(words) // 8))})
