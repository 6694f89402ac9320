"""The form of a plan: blocks, the streams between them, and the groups that blocks stand in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fxsim.arithmetic.formats import IntFormat
from fxsim.plan.beat import Beat
from fxsim.plan.records import Record


@dataclass(frozen=True)
class Stream:
    """A stream, and how many beats of it belong to a vector or an image."""

    beat: Beat
    count: int

    @classmethod
    def of(cls, fmt: IntFormat, lanes: int, items: int) -> Stream:
        """Stream of vectors of ``items``."""
        return cls(Beat(fmt, lanes), -(-items // lanes))

    def through(self, record: Record) -> Stream:
        """Stream that a block makes of the one it takes."""
        taken, given = record.ratio
        return Stream(record.o, self.count // taken * given)


Source = tuple[str, int]
"""A stream by its origin: a node or an input of the group, and the number of its output."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Node:
    """A block, or a group of blocks, in its place.

    Parameters
    ----------
    path : str
        Name of the module within its group.
    record : Record or Group
    sources : tuple of Source
        Of each input.
    output : Stream
        Each output; only a fork has several.
    """

    path: str
    record: Record | Group
    sources: tuple[Source, ...]
    output: Stream


@dataclass(frozen=True, eq=False)
class Block:
    """A block of the whole: like a `Node`, with the path of its module below the top."""

    path: str
    record: Record
    sources: tuple[Source, ...]
    output: Stream


@dataclass(frozen=True, kw_only=True, eq=False)
class Group:
    """Blocks that the hardware keeps in a module of their own: those of a layer or of a product.

    Parameters
    ----------
    inputs : mapping of str to Stream
        By the names of the module's ports.
    nodes : tuple of Node
        In the order of the data, as far as there is one.
    outputs : mapping of str to Source
        Where what leaves comes from, by name: ``o`` of a layer or product, the names of the layers
        of a network.
    """

    inputs: Mapping[str, Stream]
    nodes: tuple[Node, ...]
    outputs: Mapping[str, Source]

    @property
    def source(self) -> Source:
        """Where the only output comes from."""
        (source,) = self.outputs.values()
        return source

    @property
    def output(self) -> Stream:
        """Stream that leaves by the only output."""
        return self[self.source[0]].output

    def __getitem__(self, path: str) -> Node:
        return next(node for node in self.nodes if node.path == path)

    def blocks(self) -> Iterator[Block]:
        """Every block, also within groups, with its path and sources seen from here."""
        for node in self.nodes:
            sources = tuple(self.origin(source) for source in node.sources)
            if not isinstance(node.record, Group):
                yield Block(node.path, node.record, sources, node.output)
                continue
            outer = dict(zip(node.record.inputs, sources, strict=True))
            for block in node.record.blocks():
                within = (outer.get(path, (f"{node.path}.{path}", k)) for path, k in block.sources)
                path = f"{node.path}.{block.path}"
                yield Block(path, block.record, tuple(within), block.output)

    def origin(self, source: Source) -> Source:
        """Block, by its path from here, that yields what a node does; an input stays as it is."""
        path, _ = source
        if path in self.inputs or not isinstance(record := self[path].record, Group):
            return source
        inner, k = record.origin(record.source)
        return f"{path}.{inner}", k
