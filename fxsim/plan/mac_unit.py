"""Blocks of a MAC array by itself: vector buffer, array, and what ends a sum."""

from __future__ import annotations

from dataclasses import replace

from fxsim.network.mac_unit import MacUnit
from fxsim.network.tail import Tail
from fxsim.plan.buffers import VectorBufferConfig
from fxsim.plan.chain import Chain
from fxsim.plan.graph import Stream
from fxsim.plan.mac_array import MacArrayConfig
from fxsim.plan.planner import Plan
from fxsim.plan.requantizer import RequantizerConfig


def plan_mac_unit(unit: MacUnit) -> Plan:
    """Plan of a unit: matrices of ``columns`` vectors come in and leave row by row."""
    layer, columns = unit.layer, unit.columns
    lanes, items = layer.folding.simd * columns, layer.inputs * columns
    chain = Chain(i=Stream.of(layer.input.format, lanes, items))
    buffer = VectorBufferConfig(beat=chain.stream("i").beat, beats=layer.beats, tiles=layer.tiles)
    at = chain.add("buffer", buffer, "i")
    at = chain.add("mac_array", array_of(unit), at)
    at = chain.resize("output", at, lanes=unit.lanes_out, items=layer.outputs * columns)
    if layer.tail is not None:
        at = chain.add("requantizer", _requantizer(unit, layer.tail), at)
    ends, _ = chain.skid("port_skid", (at, 0))
    return Plan(name=unit.name, group=chain.group(ends), recurrent=(), ends_depth=0)


def array_of(unit: MacUnit) -> MacArrayConfig:
    """Configuration of the array itself."""
    return MacArrayConfig.from_layer(unit.layer, columns=unit.columns, loadable=unit.loadable)


def _requantizer(unit: MacUnit, tail: Tail) -> RequantizerConfig:
    """Requantizer of a matrix, whose constants are those of its rows."""
    layer, columns = unit.layer, unit.columns
    multiplier, offset, below = (
        array.repeat(columns) if len(array) > 1 else array
        for array in (tail.multiplier, tail.offset, tail.below)
    )
    return RequantizerConfig.of(
        replace(tail, multiplier=multiplier, offset=offset, below=below),
        lanes=unit.lanes_out,
        items=layer.outputs * columns,
        accumulator=layer.accumulator.format,
        output=layer.output,
    )
