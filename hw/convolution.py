"""One convolution: line buffer, MAC array and requantizer in a row."""

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fxsim.network import QuantizedConvolution
from hw.layouts import beat_of
from hw.linear import connect_chain, memories_of, product_chain
from hw.resize import resize
from hw.window import Window


class Convolution(wiring.Component):
    """A `fxsim.network.QuantizedConvolution` as a stream block.

    The line buffer gives out each window once for each tile of output channels, so the MAC array
    has no buffer of its own.

    Parameters
    ----------
    layer : QuantizedConvolution
    lanes_in : int
        Lanes of the input stream; they divide the channels, as the layer's own do.

    Members
    -------
    i : In(stream of ``lanes_in`` activations)
        Pixels, row by row.
    o : Out(stream of ``layer.lanes_out`` activations)
        Pixels of the output image.

    One image in places * tiles * beats cycles, or as many as its pixels take to come in; the
    latency is the business of `fxsim.cycles`.
    """

    def __init__(self, layer: QuantizedConvolution, *, lanes_in: int):
        self.layer = layer
        self.lanes_out = layer.lanes_out
        self._lanes_in = lanes_in
        self._blocks = list(self._chain())
        self.memories = memories_of(self._blocks)
        super().__init__(
            {
                "i": In(stream.Signature(beat_of(layer.input.format, lanes_in))),
                "o": Out(stream.Signature(beat_of(layer.output.format, layer.lanes_out))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        connect_chain(m, self, self._blocks)
        return m

    def _chain(self):
        layer = self.layer
        for block in resize(
            fmt=layer.input.format,
            lanes_in=self._lanes_in,
            lanes_out=layer.lanes_in,
            items=layer.windows.channels,
        ):
            yield f"input_{type(block).__name__.lower()}", block
        yield (
            "window",
            Window(
                windows=layer.windows,
                fmt=layer.input.format,
                simd=layer.product.folding.simd,
                repeats=layer.repeats,
                outside=layer.input.zero_point,
            ),
        )
        yield from product_chain(layer.product, lanes_out=self.lanes_out)
