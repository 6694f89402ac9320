"""A network -> the blocks of its hardware: which, how large, and how they are connected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import assert_never

from fxsim.network import (
    INPUT,
    Argmax,
    Layer,
    MaxPool,
    QuantizedAdd,
    QuantizedConvolution,
    QuantizedLinear,
    QuantizedLstm,
    QuantizedNetwork,
)
from fxsim.plan.add import plan_add
from fxsim.plan.argmax import plan_argmax
from fxsim.plan.buffers import ForkConfig, QueueConfig
from fxsim.plan.chain import Chain
from fxsim.plan.convolution import plan_convolution
from fxsim.plan.graph import Block, Group, Node, Source, Stream
from fxsim.plan.linear import plan_linear
from fxsim.plan.lstm import LoopGroup, plan_lstm
from fxsim.plan.mac_array import MacArrayConfig
from fxsim.plan.memory import WeightMemory
from fxsim.plan.pool import plan_pool

ENDS_PER_LAYER = 16
"""Ends of sequences that may be under way in a network with LSTM layers, for each layer."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """Hardware of a network, between the ports of its top module.

    Parameters
    ----------
    group : Group
        A group for each layer, by its name, and a fork ``<name>$fork`` behind each layer (or the
        input) that shortcuts start from. The only input is `INPUT`.
    recurrent : tuple of str
        Layers that must know where a sequence ends.
    """

    group: Group
    recurrent: tuple[str, ...]

    @property
    def inputs(self) -> Mapping[str, Stream]:
        """Streams that come in."""
        return self.group.inputs

    @cached_property
    def outputs(self) -> dict[str, Stream]:
        """Streams that go out."""
        return {self.group.last: self.group.output}

    @cached_property
    def ends(self) -> dict[str, Source]:
        """Block that yields each stream that goes out."""
        return {self.group.last: (self.blocks[-1].path, 0)}

    @property
    def input(self) -> Stream:
        """Stream that comes in."""
        return self.group.inputs[INPUT]

    @property
    def output(self) -> Stream:
        """Stream that goes out."""
        return self.group.output

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """Every block, with the path of its module below the top."""
        return tuple(self.group.blocks())

    @property
    def layers(self) -> Iterator[Node]:
        """Groups of the layers, in the order of the data."""
        return (node for node in self.group.nodes if isinstance(node.record, Group))

    @cached_property
    def loops(self) -> dict[Source, Stream]:
        """Streams that lead back, by where they come from; a vector of zeros comes before each."""
        found: dict[Source, Stream] = {}
        for node in self.layers:
            if isinstance(record := node.record, LoopGroup):
                path, k = record.back
                found[f"{node.path}.{path}", k] = record.fed_back
        return found

    @property
    def ends_depth(self) -> int:
        """Depth of the queues of ends of sequences; 0 where there are none."""
        return ENDS_PER_LAYER * len(tuple(self.layers)) if self.recurrent else 0

    def __getitem__(self, path: str) -> Block:
        return next(node for node in self.blocks if node.path == path)

    def files(self) -> list[WeightMemory]:
        """Weight memories that are filled from files, in the order of the data."""
        arrays = (node.record for node in self.blocks if isinstance(node.record, MacArrayConfig))
        return [array.content for array in arrays if array.content.file is not None]


def plan_network(network: QuantizedNetwork) -> Plan:
    """Plan of a network, its adds with the depths that they have."""
    first = network.layers[0]
    entering = Stream.of(first.input.format, network.lanes_in, first.inputs)
    chain, streams = Chain(**{INPUT: entering}), {INPUT: entering}
    forked: dict[tuple[str, str], Source] = {}

    def fork(start: str) -> Source:
        """Give what ``start`` yields to each layer that names it as a source; the rest goes on."""
        takers = network.shortcuts(start)
        if not takers:
            return start, 0
        record = ForkConfig(beat=streams[start].beat, sinks=1 + len(takers))
        path = chain.add(f"{start}$fork", record, start)
        forked.update({(start, taker.name): (path, k) for k, taker in enumerate(takers, 1)})
        return path, 0

    before, at = INPUT, fork(INPUT)
    for layer in network.layers:
        group = plan_layer(layer, streams[before], *(streams[start] for start in layer.sources))
        chain.add(layer.name, group, at, *(forked[start, layer.name] for start in layer.sources))
        streams[layer.name] = group.output
        before, at = layer.name, fork(layer.name)
    recurrent = tuple(layer.name for layer in network.layers if layer.state)
    return Plan(group=chain.group(before), recurrent=recurrent)


def plan_layer(layer: Layer, *sources: Stream) -> Group:
    """Group of a layer behind a stream for each operand; of the layer's own lanes if left out."""
    source, *others = sources or [
        Stream.of(operand.activation.format, layer.lanes_in, operand.items)
        for operand in layer.operands
    ]
    match layer:
        case QuantizedLinear():
            return plan_linear(layer, source)
        case QuantizedLstm():
            return plan_lstm(layer, source)
        case QuantizedConvolution():
            return plan_convolution(layer, source)
        case MaxPool():
            return plan_pool(layer, source)
        case QuantizedAdd():
            return plan_add(layer, source, *others)
        case Argmax():
            return plan_argmax(layer, source)
        case _:
            assert_never(layer)


def queue_of(plan: Plan, add: str) -> QueueConfig:
    """Queue in which the shortcut to an add waits."""
    record = plan[f"{add}.queue"].record
    assert isinstance(record, QueueConfig)
    return record
