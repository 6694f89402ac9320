"""One fully connected layer: buffer, MAC array and requantizer in a row."""

from fxsim.hw.buffers import VectorBuffer
from fxsim.hw.chain import Chain, resized
from fxsim.hw.config import MacArrayConfig, RequantizerConfig
from fxsim.hw.mac_array import MacArray
from fxsim.hw.requantizer import Requantizer
from fxsim.network import QuantizedLinear


class Linear(Chain):
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

    layer: QuantizedLinear

    def blocks(self):
        """Name and block, in the order of the data."""
        layer = self.layer
        yield from self.resized_input(layer.inputs)
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
    yield from resized(
        "output",
        fmt=layer.accumulator.format,
        lanes_in=layer.folding.rows,
        lanes_out=lanes_out,
        items=layer.outputs,
    )
    if layer.requantizer is not None:
        yield "requantizer", Requantizer(RequantizerConfig.from_layer(layer, lanes=lanes_out))
