"""One convolution: line buffer, MAC array and requantizer in a row."""

from fxsim.hw.chain import Chain
from fxsim.hw.linear import product_chain
from fxsim.hw.window import Window
from fxsim.network import QuantizedConvolution


class Convolution(Chain):
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

    layer: QuantizedConvolution

    def blocks(self):
        """Name and block, in the order of the data."""
        layer = self.layer
        yield from self.resized_input(layer.windows.channels)
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
