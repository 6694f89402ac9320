"""Making a group: blocks are added one by one, each after those before.

Between two that stall there is a skid buffer, so that no block waits for more than the next one.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import gcd

from fxsim.plan.beat import Beat
from fxsim.plan.buffers import SkidConfig
from fxsim.plan.graph import Group, Node, Source, Stream
from fxsim.plan.records import Record
from fxsim.plan.resize import NarrowConfig, WidenConfig
from fxsim.plan.skids import gives_stalling, takes_stalling


class Chain:
    """Blocks of a group, in the order of the data.

    Parameters
    ----------
    inputs : Stream
        Of the group, by the names of its ports.
    """

    def __init__(self, **inputs: Stream) -> None:
        self._inputs = inputs
        self._nodes: list[Node] = []
        self._streams = dict(inputs)
        self._stalling = dict.fromkeys(inputs, False)

    def add(self, path: str, record: Record | Group, *sources: str | Source) -> str:
        """Put a block after streams, those of nodes or of inputs; its path is returned."""
        places = [source if isinstance(source, tuple) else (source, 0) for source in sources]
        for k, source in enumerate(places):
            if takes_stalling(record, k):
                places[k] = self.skid(f"{path}$skid{k if places[1:] else ''}", source)
        if isinstance(record, Group):
            output = record.output
        else:
            output = self._streams[places[0][0]].through(record)
        self._nodes.append(Node(path=path, record=record, sources=tuple(places), output=output))
        self._streams[path] = output
        self._stalling[path] = gives_stalling(record, self._stalling.get(places[0][0], False))
        return path

    def skid(self, path: str, source: Source) -> Source:
        """Put a skid buffer after a block that stalls; what takes its words does so, too."""
        if not self._stalling[source[0]]:
            return source
        return self.add(path, SkidConfig(beat=self.stream(source).beat), source), 0

    def resize(self, path: str, source: str, *, lanes: int, items: int) -> str:
        """Bring a stream of vectors of ``items`` to a number of lanes; nothing if it has them.

        Where neither number divides the other, their least common multiple lies between.
        """
        for kind, record in resizes(self._streams[source].beat, lanes=lanes, items=items):
            source = self.add(f"{path}_{kind}", record, source)
        return source

    def stream(self, source: str | Source) -> Stream:
        """Stream that a node or an input yields."""
        return self._streams[source[0] if isinstance(source, tuple) else source]

    def group(self, last: str) -> Group:
        """All that was added; ``last`` yields the output."""
        return self.network({"o": (last, 0)})

    def network(self, outputs: Mapping[str, Source]) -> Group:
        """All that was added, with outputs by name."""
        return Group(inputs=self._inputs, nodes=tuple(self._nodes), outputs=outputs)


def resizes(beat: Beat, *, lanes: int, items: int) -> list[tuple[str, WidenConfig | NarrowConfig]]:
    """Blocks that bring a stream of vectors of ``items`` to other lanes; none if it has them."""
    common = beat.lanes * lanes // gcd(beat.lanes, lanes)
    found: list[tuple[str, WidenConfig | NarrowConfig]] = []
    fmt = beat.format
    if common != beat.lanes:
        widen = WidenConfig(format=fmt, lanes_in=beat.lanes, lanes_out=common, items=items)
        found.append(("widen", widen))
    if common != lanes:
        narrow = NarrowConfig(format=fmt, lanes_in=common, lanes_out=lanes, items=items)
        found.append(("narrow", narrow))
    return found
