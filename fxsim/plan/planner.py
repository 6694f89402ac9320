"""A network -> the blocks of its hardware: which, how large, and how they are connected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import assert_never

from fxsim.network import (
    Argmax,
    Concat,
    Layer,
    MaxPool,
    QuantizedAdd,
    QuantizedConvolution,
    QuantizedLinear,
    QuantizedLstm,
    QuantizedNetwork,
    Rescale,
    Resize,
)
from fxsim.network.graph import MIN_DEPTH, only
from fxsim.plan.add import plan_add
from fxsim.plan.argmax import plan_argmax
from fxsim.plan.buffers import ForkConfig, QueueConfig
from fxsim.plan.chain import Chain
from fxsim.plan.concat import plan_concat
from fxsim.plan.convolution import plan_convolution
from fxsim.plan.graph import Block, Group, Node, Source, Stream
from fxsim.plan.linear import plan_linear
from fxsim.plan.lstm import LoopGroup, plan_lstm
from fxsim.plan.mac_array import MacArrayConfig
from fxsim.plan.memory import WeightMemory
from fxsim.plan.pool import plan_pool
from fxsim.plan.rescale import plan_rescale
from fxsim.plan.upscale import plan_resize

ENDS_PER_LAYER = 16
"""Ends of sequences that may be under way for each layer, where the network does not say."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """Hardware of a network, between the ports of its top module.

    Parameters
    ----------
    name : str
        Of the network or unit, and of its top module.
    group : Group
        A group for each layer, by its name, a fork ``<name>$fork`` after each layer or input that
        several take from, a queue ``<name>$queue`` at ports that have one, and skid buffers,
        ``<name>$skid`` before a layer and ``<name>$port_skid`` before a port. Inputs and outputs
        have the names of those of the network.
    recurrent : tuple of str
        Layers that must know where a sequence ends.
    ends_depth : int
        Depth of the queues of ends of sequences; 0 where there are none.
    """

    name: str
    group: Group
    recurrent: tuple[str, ...]
    ends_depth: int

    @property
    def inputs(self) -> Mapping[str, Stream]:
        """Streams that come in."""
        return self.group.inputs

    @cached_property
    def outputs(self) -> dict[str, Stream]:
        """Streams that go out."""
        return {name: self.group[path].output for name, (path, _) in self.group.outputs.items()}

    @cached_property
    def ends(self) -> dict[str, Source]:
        """Block that yields each stream that goes out."""
        return {name: self.group.origin(source) for name, source in self.group.outputs.items()}

    @property
    def input(self) -> Stream:
        """Stream that comes in by the only input."""
        return only(self.inputs, "input")

    @property
    def output(self) -> Stream:
        """Stream that goes out by the only output."""
        return only(self.outputs, "output")

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

    def __getitem__(self, path: str) -> Block:
        return next(node for node in self.blocks if node.path == path)

    def files(self) -> list[WeightMemory]:
        """Weight memories of constants that files fill, in the order of the data."""
        arrays = (node.record for node in self.blocks if isinstance(node.record, MacArrayConfig))
        return [array.content for array in arrays if array.content.checked]


def plan_network(network: QuantizedNetwork) -> Plan:
    """Plan of a network."""
    inputs = {name: _entering(network, name) for name in network.inputs}
    chain, ends = Chain(**inputs), dict[str, Iterator[Source]]()
    outputs = dict[str, Source]()

    def end(name: str, at: str) -> None:
        """Give what a node yields, under a name, to each that takes it, a port last."""
        sinks = len(network.takers(name)) + (name in network.leaving)
        if sinks > 1:
            record = ForkConfig(beat=chain.stream(at).beat, sinks=sinks)
            at = chain.add(f"{name}$fork", record, at)
        ends[name] = iter([(at, k) for k in range(sinks)])

    def queue(name: str, source: str | Source, depth: int) -> str:
        record = QueueConfig(beat=chain.stream(source).beat, depth=depth)
        return chain.add(f"{name}$queue", record, source)

    for name, stream in inputs.items():
        # A whole vector waits for those of other inputs, so that they may come one by one.
        alone = len(inputs) == 1
        end(name, name if alone else queue(name, name, max(stream.count, MIN_DEPTH)))
    for layer in network.layers:
        sources = [next(ends[source]) for source in network.taken[layer.name]]
        streams = [chain.stream(source) for source in sources]
        group = plan_layer(layer, *streams, depths=network.depth_of(layer.name))
        end(layer.name, chain.add(layer.name, group, *sources))
    for name in network.leaving:
        (source,) = ends[name]
        depth = network.output_depths.get(name)
        port = f"{name}$port_skid"
        outputs[name] = (queue(name, source, depth), 0) if depth else chain.skid(port, source)
    recurrent = tuple(layer.name for layer in network.layers if layer.state)
    ends_depth = network.ends_depth or ENDS_PER_LAYER * len(network.layers) * bool(recurrent)
    group = chain.network(outputs)
    return Plan(name=network.name, group=group, recurrent=recurrent, ends_depth=ends_depth)


def queues_of(plan: Plan, layer: str) -> list[QueueConfig]:
    """Queues in which operands of a layer wait for the others."""
    (node,) = (node for node in plan.layers if node.path == layer)
    assert isinstance(node.record, Group)
    records = (block.record for block in node.record.nodes)
    return [record for record in records if isinstance(record, QueueConfig)]


def _entering(network: QuantizedNetwork, name: str) -> Stream:
    """Stream of an input: in the lanes of the first layer that takes it, whole pixels if any."""
    kind = network.types[name]
    takers = network.takers(name)
    whole = [(layer, k) for layer, k in takers if len(layer.operands[k].shape) == len(kind.shape)]
    layer, _ = (whole or takers)[0]
    return Stream.of(kind.activation.format, layer.lanes_in, kind.items)


def plan_layer(layer: Layer, *sources: Stream, depths: Sequence[int] = ()) -> Group:
    """Group of a layer after a stream for each operand; of the layer's own lanes if left out.

    ``depths`` are those of the queues at operands; wires if left out.
    """
    streams = list(sources) or [
        Stream.of(operand.activation.format, layer.lanes_in, operand.items)
        for operand in layer.operands
    ]
    depths = depths or [0] * len(streams)
    match layer:
        case QuantizedLinear():
            return plan_linear(layer, *streams)
        case QuantizedLstm():
            return plan_lstm(layer, *streams)
        case QuantizedConvolution():
            return plan_convolution(layer, *streams)
        case MaxPool():
            return plan_pool(layer, *streams)
        case QuantizedAdd():
            return plan_add(layer, streams, depths)
        case Rescale():
            return plan_rescale(layer, *streams)
        case Resize():
            return plan_resize(layer, *streams)
        case Concat():
            return plan_concat(layer, streams, depths)
        case Argmax():
            return plan_argmax(layer, *streams)
        case _:
            assert_never(layer)
