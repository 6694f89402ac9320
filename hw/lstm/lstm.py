"""An LSTM layer: two matrix products, the cell, and the loop from h(t) to h(t + 1)."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fxsim.hw.blocks.layouts import layout_of, shape_of
from fxsim.hw.build import build
from fxsim.hw.layer import Layer
from fxsim.plan.graph import Group
from fxsim.plan.lstm import LoopGroup


class Lstm(wiring.Component):
    """The group of a `fxsim.network.QuantizedLstm` (`fxsim.plan.lstm`) as a stream block.

    Parameters
    ----------
    group : LoopGroup

    Members
    -------
    i : In(stream)
    last : In(stream of 1 bit)
        One for each input vector, in order: whether it ends its sequence. State is that of a new
        sequence after it.
    o : Out(stream)
    state : Out(stream of cell states, always ready)
        Each new c, for testbenches.

    ``memories`` has the `FileMemory` of each product that has one. Latency and interval are the
    business of `fxsim.timing.cycles`.
    """

    def __init__(self, group: LoopGroup):
        self.group = group
        self._blocks = {
            node.path: Layer(node.record) if isinstance(node.record, Group) else build(node.record)
            for node in group.nodes
        }
        self.memories = [
            memory for block in self._blocks.values() for memory in getattr(block, "memories", ())
        ]
        super().__init__(
            {
                "i": In(stream.Signature(layout_of(group.inputs["i"].beat))),
                "last": In(stream.Signature(1)),
                "o": Out(stream.Signature(layout_of(group.output.beat))),
                "state": Out(stream.Signature(shape_of(group.cell.cell), always_ready=True)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        blocks, fed_back = self._blocks, self.group.fed_back

        m.submodules.lstm_cell = cell = blocks["lstm_cell"]
        m.submodules.input_product = product = blocks["input_product"]
        wiring.connect(m, wiring.flipped(self.i), product.i)
        self._gather(m, "input_terms", product.o, cell.x)
        m.submodules.hidden_product = product = blocks["hidden_product"]
        self._gather(m, "hidden_terms", product.o, cell.h)
        loop = product.i

        # h goes out and round; the loop gets zeros in place of the last h of a sequence, and once
        # after reset.
        m.submodules.fork = fork = blocks["fork"]
        result = cell.o
        if "projection" in blocks:
            m.submodules.projection = projection = blocks["projection"]
            wiring.connect(m, cell.o, projection.i)
            result = projection.o
        wiring.connect(m, result, fork.i)
        m.submodules.output = output = blocks["output"]
        onward, back = fork.o
        wiring.connect(m, onward, output.i)
        wiring.connect(m, output.o, wiring.flipped(self.o))

        beat = Signal(range(fed_back.count))
        started = Signal()
        move = Signal()
        ends = Signal()
        zero = loop.payload.shape().const([self.group.zero] * fed_back.beat.lanes)
        # Expressions, not m.If: simulators do not run a process none of whose inputs ever changes,
        # and before the first step none does.
        m.d.comb += [
            ends.eq(beat == fed_back.count - 1),
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

    def _gather(
        self, m: Module, name: str, source: stream.Interface, sink: stream.Interface
    ) -> None:
        """Bring a product's output to the four lanes of a cell, and let it run ahead."""
        for path, block in self._blocks.items():
            if path.startswith(name):
                m.submodules[path] = block
                wiring.connect(m, source, block.i)
                source = block.o
        wiring.connect(m, source, sink)
