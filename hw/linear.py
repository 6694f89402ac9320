"""One fully connected layer: buffer, MAC array and requantizer in a row."""

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fxsim.network import QuantizedLinear
from hw.buffers import VectorBuffer
from hw.config import MacArrayConfig, RequantizerConfig
from hw.layouts import beat_of
from hw.mac_array import MacArray
from hw.requantizer import Requantizer
from hw.resize import resize


class Linear(wiring.Component):
    """A `fxsim.network.QuantizedLinear` as a stream block.

    A tile of ``rows`` accumulators takes ``beats`` cycles, so it leaves through a requantizer that
    is only as wide as that allows.

    Parameters
    ----------
    layer : QuantizedLinear
    lanes_in : int
        Lanes of the input stream; brought to the layer's ``simd`` where they differ.
    lanes_out : int, optional
        Lanes of the output stream; ``layer.lanes_out`` unless a tile shall leave sooner.

    Members
    -------
    i : In(stream of ``lanes_in`` activations)
    o : Out(stream of ``lanes_out`` activations, or accumulators without a requantizer)

    One vector in ceil(outputs / rows) * ceil(inputs / simd) cycles; the latency is the business of
    `fxsim.cycles`.
    """

    def __init__(self, layer: QuantizedLinear, *, lanes_in: int, lanes_out: int | None = None):
        self.layer = layer
        self.lanes_out = lanes_out or layer.lanes_out
        self._lanes_in = lanes_in
        self._blocks = list(self._chain())
        self.memories = memories_of(self._blocks)
        super().__init__(
            {
                "i": In(stream.Signature(beat_of(layer.input.format, lanes_in))),
                "o": Out(stream.Signature(beat_of(layer.output.format, self.lanes_out))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        connect_chain(m, self, self._blocks)
        return m

    def _chain(self):
        """Name and block, in the order of the data."""
        layer = self.layer
        for block in resize(
            fmt=layer.input.format,
            lanes_in=self._lanes_in,
            lanes_out=layer.folding.simd,
            items=layer.inputs,
        ):
            yield f"input_{type(block).__name__.lower()}", block
        yield (
            "buffer",
            VectorBuffer(
                fmt=layer.input.format,
                lanes=layer.folding.simd,
                beats=layer.beats,
                tiles=layer.tiles,
            ),
        )
        yield from product_chain(layer, lanes_out=self.lanes_out)


def product_chain(layer: QuantizedLinear, *, lanes_out: int):
    """Name and block of all that follows the buffer: MAC array, its output, requantizer."""
    yield "mac_array", MacArray(MacArrayConfig.from_layer(layer))
    for block in resize(
        fmt=layer.accumulator.format,
        lanes_in=layer.folding.rows,
        lanes_out=lanes_out,
        items=layer.outputs,
    ):
        yield f"output_{type(block).__name__.lower()}", block
    if layer.requantizer is not None:
        yield "requantizer", Requantizer(RequantizerConfig.from_layer(layer, lanes=lanes_out))


def memories_of(chain):
    """The `hw.file_memory.FileMemory` of every block, given as name and block, that has one."""
    return [memory for _, block in chain for memory in getattr(block, "memories", ())]


def connect_chain(m: Module, whole: wiring.Component, chain):
    """Connect blocks, given as name and block, one behind the other between ``i`` and ``o``."""
    stream = wiring.flipped(whole.i)
    for name, block in chain:
        m.submodules[name] = block
        wiring.connect(m, stream, block.i)
        stream = block.o
    wiring.connect(m, stream, wiring.flipped(whole.o))
