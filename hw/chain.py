"""Blocks one behind the other between two streams, as most layers are."""

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fxsim.formats import IntFormat
from fxsim.hw.layouts import beat_of
from fxsim.hw.resize import resize
from fxsim.network import Layer


class Chain(wiring.Component):
    """A layer whose hardware is blocks in a row; a subclass says which.

    Parameters
    ----------
    layer : fxsim.network.Layer
    lanes_in : int
        Lanes of the input stream; the subclass brings them to the layer's own.
    lanes_out : int, optional
        Lanes of the output stream; ``layer.lanes_out`` unless told otherwise.
    more : dict
        Members besides ``i`` and ``o``.

    Members
    -------
    i : In(stream of ``lanes_in`` lanes)
    o : Out(stream of ``lanes_out`` lanes)
    """

    def __init__(self, layer: Layer, *, lanes_in: int, lanes_out: int | None = None, more=()):
        self.layer = layer
        self.lanes_in = lanes_in
        self.lanes_out = lanes_out or layer.lanes_out
        self._blocks = list(self.blocks())
        self.memories = [
            memory for _, block in self._blocks for memory in getattr(block, "memories", ())
        ]
        super().__init__(
            {
                "i": In(stream.Signature(beat_of(layer.input.format, lanes_in))),
                "o": Out(stream.Signature(beat_of(layer.output.format, self.lanes_out))),
                **dict(more),
            }
        )

    def blocks(self):
        """Name and block, in the order of the data."""
        raise NotImplementedError

    def resized_input(self, items: int):
        """Name and block of what brings ``i``, of ``items`` a pixel or vector, to the own lanes."""
        layer = self.layer
        return resized(
            "input",
            fmt=layer.input.format,
            lanes_in=self.lanes_in,
            lanes_out=layer.lanes_in,
            items=items,
        )

    def elaborate(self, platform):
        m = Module()
        source = connect_chain(m, wiring.flipped(self.i), self._blocks)
        wiring.connect(m, source, wiring.flipped(self.o))
        return m


def resized(name: str, *, fmt: IntFormat, lanes_in: int, lanes_out: int, items: int):
    """Name and block of what brings a stream from ``lanes_in`` to ``lanes_out`` lanes."""
    for block in resize(fmt=fmt, lanes_in=lanes_in, lanes_out=lanes_out, items=items):
        yield f"{name}_{type(block).__name__.lower()}", block


def connect_chain(m: Module, source, chain):
    """Connect blocks, given as name and block, behind a stream; the last one's is returned."""
    for name, block in chain:
        m.submodules[name] = block
        wiring.connect(m, source, block.i)
        source = block.o
    return source
