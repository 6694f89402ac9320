"""An LSTM layer: two matrix products, the cell, and the loop from h(t) to h(t + 1)."""

from dataclasses import replace

import numpy as np
from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fxsim.hw.buffers import VectorBuffer
from fxsim.hw.chain import connect_chain, resized
from fxsim.hw.fork import Fork
from fxsim.hw.layouts import beat_of, shape_of
from fxsim.hw.linear import Linear
from fxsim.hw.lstm_cell import LstmCell
from fxsim.network import QuantizedLinear, QuantizedLstm


def by_cell(product: QuantizedLinear) -> QuantizedLinear:
    """Same product with the four gates of each cell side by side, as the cell takes them."""
    order = np.arange(product.outputs).reshape(4, -1).T.ravel()
    scale = product.weight_scale
    return replace(
        product,
        weight=product.weight[order],
        bias=product.bias[order],
        weight_scale=scale[order] if len(scale) > 1 else scale,
        requantizer=product.requantizer.rows(order),
    )


def products(layer: QuantizedLstm) -> list[QuantizedLinear]:
    """Products of the layer as the hardware computes them: W x, U h and the projection, if any."""
    gates = [by_cell(layer.input_product), by_cell(layer.hidden_product)]
    return gates if layer.projection is None else [*gates, layer.projection]


class Lstm(wiring.Component):
    """A `fxsim.lstm.QuantizedLstm` as a stream block.

    W x runs ahead of the recurrence, so a step takes as long as U h, plus what the way of the last
    cells back to the first tile of U h adds.

    Parameters
    ----------
    layer : QuantizedLstm
    lanes_in : int
        Lanes of the input stream.

    Members
    -------
    i : In(stream of ``lanes_in`` activations)
    last : In(stream of 1 bit)
        One for each input vector, in order: whether it ends its sequence. State is that of a new
        sequence after it.
    o : Out(stream of ``lanes_out`` activations)
    state : Out(stream of cell states, always ready)
        Each new c, for testbenches.

    Latency and interval are the business of `fxsim.cycles`.
    """

    def __init__(self, layer: QuantizedLstm, *, lanes_in: int):
        self.layer = layer
        self.lanes_out = layer.lanes_out
        lanes = (lanes_in, layer.lanes_out, 1)
        lanes_out = (None, layer.hidden_lanes, None)
        self._products = [
            Linear(product, lanes_in=into, lanes_out=out)
            for product, into, out in zip(products(layer), lanes, lanes_out, strict=False)
        ]
        self.memories = [memory for product in self._products for memory in product.memories]
        super().__init__(
            {
                "i": In(stream.Signature(beat_of(layer.input.format, lanes_in))),
                "last": In(stream.Signature(1)),
                "o": Out(stream.Signature(beat_of(layer.output.format, self.lanes_out))),
                "state": Out(stream.Signature(shape_of(layer.cell), always_ready=True)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        layer, lanes = self.layer, self.lanes_out
        fmt = layer.output.format

        m.submodules.lstm_cell = cell = LstmCell(layer)
        m.submodules.input_product = product = self._products[0]
        wiring.connect(m, wiring.flipped(self.i), product.i)
        self._gather(m, "input_terms", product, cell.x)

        m.submodules.hidden_product = product = self._products[1]
        self._gather(m, "hidden_terms", product, cell.h)

        # h goes out and round; the loop gets zeros in place of the last h of a sequence, and once
        # after reset.
        m.submodules.fork = fork = Fork(beat_of(fmt, lanes), sinks=2)
        result = cell.o
        if layer.projection is not None:
            m.submodules.projection = projection = self._products[2]
            wiring.connect(m, cell.o, projection.i)
            result = projection.o
        wiring.connect(m, result, fork.i)
        # A buffer, so that the loop does not wait for whoever takes the output.
        beats = -(-layer.outputs // lanes)
        m.submodules.output = output = VectorBuffer(fmt=fmt, lanes=lanes, beats=beats, tiles=1)
        onward, back = fork.o
        wiring.connect(m, onward, output.i)
        wiring.connect(m, output.o, wiring.flipped(self.o))

        beat = Signal(range(beats))
        started, move, ends = Signal(), Signal(), Signal()
        loop = product.i
        zero = loop.payload.shape().const([layer.output.zero_point] * lanes)
        # Expressions, not m.If: simulators do not run a process none of whose inputs ever changes,
        # and before the first step none does.
        m.d.comb += [
            ends.eq(beat == beats - 1),
            move.eq(loop.valid & loop.ready),
            loop.valid.eq(~started | (back.valid & self.last.valid)),
            loop.payload.eq(Mux(~started | self.last.payload, zero, back.payload)),
            back.ready.eq(started & loop.ready & self.last.valid),
            self.last.ready.eq(started & move & ends),
        ]
        fresh = Signal(init=1)
        with m.If(move):
            m.d.sync += beat.eq(beat + 1)
            with m.If(ends):
                m.d.sync += [beat.eq(0), started.eq(1)]
                with m.If(started):
                    m.d.sync += fresh.eq(self.last.payload)
        m.d.comb += cell.fresh.eq(fresh)
        wiring.connect(m, cell.state, wiring.flipped(self.state))
        return m

    def _gather(self, m, name, product, sink):
        """Bring a product's output to the four lanes of a cell, and let it run ahead."""
        terms = resized(
            name,
            fmt=product.layer.output.format,
            lanes_in=product.lanes_out,
            lanes_out=4,
            items=product.layer.outputs,
        )
        source = connect_chain(m, product.o, terms)
        m.submodules[name] = buffer = VectorBuffer(
            fmt=product.layer.output.format, lanes=4, beats=self.layer.cells, tiles=1
        )
        wiring.connect(m, source, buffer.i)
        wiring.connect(m, buffer.o, sink)
