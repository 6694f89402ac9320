"""Blocks of a layer or a product, wired as the plan says."""

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fxsim.hw.blocks.layouts import layout_of
from fxsim.hw.build import build
from fxsim.plan.graph import Block, Group, Node


class Layer(wiring.Component):
    """A `fxsim.plan.graph.Group` as a stream block, whatever kind of layer it is of.

    Parameters
    ----------
    group : Group
        Without a loop.

    Members
    -------
    i, or i0, i1, ... : In(stream)
        A stream for each input of the group, by its name.
    o : Out(stream)

    ``memories`` has the `FileMemory` of each block that has one. Latency and throughput are the
    business of `fxsim.timing.cycles`.
    """

    def __init__(self, group: Group):
        self.group = group
        self._blocks = {block.path: build(block.record) for block in group.blocks()}
        self.memories = [
            memory for block in self._blocks.values() for memory in getattr(block, "memories", ())
        ]
        inputs = {
            name: In(stream.Signature(layout_of(source.beat)))
            for name, source in group.inputs.items()
        }
        super().__init__(inputs | {"o": Out(stream.Signature(layout_of(group.output.beat)))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        streams = {(name, 0): wiring.flipped(getattr(self, name)) for name in self.group.inputs}
        for node in self.group.blocks():
            block = self._blocks[node.path]
            m.submodules[node.path] = block
            for source, port in zip(node.sources, ports(node), strict=True):
                wiring.connect(m, streams[source], getattr(block, port))
            streams[node.path, 0] = block.o
        wiring.connect(m, streams[self.group.origin(self.group.source)], wiring.flipped(self.o))
        return m


def ports(node: Block | Node) -> list[str]:
    """Names of the ports at which a block or a layer takes streams."""
    count = len(node.sources)
    return ["i"] if count == 1 else [f"i{k}" for k in range(count)]
