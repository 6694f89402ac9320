"""The sum of two streams with scales of their own, for residual connections."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fxsim.hw.chain import Chain, connect_chain, resized
from fxsim.hw.config import RequantizerConfig
from fxsim.hw.layouts import beat_of, shape_of
from fxsim.hw.queue import Queue
from fxsim.hw.requantizer import Requantizer
from fxsim.network import QuantizedAdd


class WeightedSum(wiring.Component):
    """Sums of two operands, each times a constant of its own, plus one for the zero points.

    Parameters
    ----------
    layer : QuantizedAdd
        Says formats, multipliers and lanes.

    Members
    -------
    i, other : In(stream of ``layer.lanes`` activations)
        Taken together.
    o : Out(stream of ``layer.lanes`` accumulators)

    Latency is 2 cycles: products, sums. One beat a cycle.
    """

    latency = 2

    def __init__(self, layer: QuantizedAdd):
        self._layer = layer
        super().__init__(
            {
                "i": In(stream.Signature(beat_of(layer.input.format, layer.lanes))),
                "other": In(stream.Signature(beat_of(layer.other.format, layer.lanes))),
                "o": Out(stream.Signature(beat_of(layer.accumulator, layer.lanes))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        layer = self._layer
        first, second = layer.multipliers
        advance, both, valid = Signal(), Signal(), Signal()
        m.d.comb += [
            advance.eq(~self.o.valid | self.o.ready),
            both.eq(self.i.valid & self.other.valid),
            self.i.ready.eq(advance & self.other.valid),
            self.other.ready.eq(advance & self.i.valid),
        ]
        with m.If(advance):
            m.d.sync += [valid.eq(both), self.o.valid.eq(valid)]
        for lane in range(layer.lanes):
            products = []
            for name, value in (
                ("first", self.i.payload[lane] * first),
                ("second", self.other.payload[lane] * second),
            ):
                product = Signal(value.shape(), name=f"{name}_{lane}", reset_less=True)
                with m.If(advance):
                    m.d.sync += product.eq(value)
                products.append(product)
            total = Signal(shape_of(layer.accumulator), name=f"sum_{lane}", reset_less=True)
            with m.If(advance):
                m.d.sync += total.eq(sum(products, layer.bias))
            m.d.comb += self.o.payload[lane].eq(total)
        return m


class Add(Chain):
    """A `fxsim.network.QuantizedAdd` as a stream block; a queue holds what its shortcut brings.

    Parameters
    ----------
    layer : QuantizedAdd
    lanes_in : int
        Lanes of the stream from the layer before.
    shortcut_lanes : int
        Lanes of the stream from the start of the shortcut; the queue holds ``layer.depth`` beats
        of it.

    Members
    -------
    i : In(stream of ``lanes_in`` activations)
    shortcut : In(stream of ``shortcut_lanes`` activations)
    o : Out(stream of ``layer.lanes`` activations)

    Latency is 4 cycles from the later of two beats, and 2 more through the queue; one beat a cycle.
    """

    layer: QuantizedAdd

    def __init__(self, layer: QuantizedAdd, *, lanes_in: int, shortcut_lanes: int):
        self._shortcut = beat_of(layer.other.format, shortcut_lanes)
        shortcut = In(stream.Signature(self._shortcut))
        super().__init__(layer, lanes_in=lanes_in, more={"shortcut": shortcut})

    def blocks(self):
        """Name and block, in the order of the data."""
        layer = self.layer
        yield from self.resized_input(layer.shape[0])
        yield "sum", WeightedSum(layer)
        yield "requantizer", Requantizer(RequantizerConfig.behind_sum(layer))

    def _shortcut_blocks(self):
        layer = self.layer
        yield "queue", Queue(self._shortcut, depth=layer.depth)
        yield from resized(
            "shortcut",
            fmt=layer.other.format,
            lanes_in=self._shortcut.length,
            lanes_out=layer.lanes,
            items=layer.shape[0],
        )

    def elaborate(self, platform):
        m = super().elaborate(platform)
        queued = connect_chain(m, wiring.flipped(self.shortcut), self._shortcut_blocks())
        wiring.connect(m, queued, m.submodules["sum"].other)
        return m
