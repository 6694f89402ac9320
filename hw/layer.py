"""Blocks of a layer or a product, wired as the plan says."""

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fxsim.hw.blocks.layouts import layout_of
from fxsim.hw.build import build
from fxsim.plan.graph import Group


class Layer(wiring.Component):
    """A `fxsim.plan.graph.Group` as a stream block, whatever kind of layer it is of.

    Parameters
    ----------
    group : Group
        Without a loop.

    Members
    -------
    i : In(stream)
        And a stream for each other input of the group, by its name.
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
        group, blocks = self.group, self._blocks
        streams = {name: wiring.flipped(getattr(self, name)) for name in group.inputs}
        streams |= {path: block.o for path, block in blocks.items()}
        main = main_way(group)

        def add(path: str) -> None:
            m.submodules[path] = blocks[path]
            (source, _), *_ = group[path].sources
            wiring.connect(m, streams[source], blocks[path].i)

        for path in main:
            add(path)
        wiring.connect(m, streams[group.last], wiring.flipped(self.o))
        for path in blocks:
            if path not in main:
                add(path)
        for node in group.nodes:
            for source, _ in node.sources[1:]:
                wiring.connect(m, streams[source], blocks[node.path].other)
        return m


def main_way(group: Group) -> list[str]:
    """Blocks from the first input to the output, in the order of the data."""
    way, path = [], group.last
    while path not in group.inputs:
        way.append(path)
        (path, _), *_ = group[path].sources
    return way[::-1]
