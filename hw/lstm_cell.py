"""The elementwise part of an LSTM step: gates, cell state, output; one cell a cycle."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from fxsim.network import QuantizedLstm
from hw.arith import saturate, shift_round
from hw.layouts import beat_of, shape_of
from hw.lookup import Lookup


class LstmCell(wiring.Component):
    """Pre-activation terms to h, with the cell state in a memory.

    The formulas are those of `fxsim.lstm.QuantizedLstm`.

    Parameters
    ----------
    layer : QuantizedLstm

    Attributes
    ----------
    latency : int
        Cycles from a pair of terms to the output.

    Members
    -------
    x, h : In(streams of 4 terms)
        W x and U h of one cell after another, lanes in the order i, f, o, g. A beat is taken from
        both at once.
    fresh : In(1)
        Whether this step is the first of a sequence: the cell state counts as 0. May change only
        while no cell of the step is inside.
    o : Out(stream of 1 lane)
        o * tanh(c) of one cell after another.
    state : Out(stream of cell states, always ready)
        Each new c, for testbenches.

    One cell a cycle. The next step must not start before this one has left, as the recurrence sees
    to by itself.
    """

    def __init__(self, layer: QuantizedLstm):
        self._layer = layer
        lookup = 3 if layer.tanh.step_bits else 2, 3 if layer.sigmoid.step_bits else 2
        self._gate_latency, self._tanh_latency = max(lookup), lookup[0]
        self.latency = 1 + self._gate_latency + 2 + self._tanh_latency + 2
        super().__init__(
            {
                "x": In(stream.Signature(beat_of(layer.input_product.output.format, 4))),
                "h": In(stream.Signature(beat_of(layer.hidden_product.output.format, 4))),
                "fresh": In(1),
                "o": Out(stream.Signature(beat_of(layer.cell_output.format, 1))),
                "state": Out(stream.Signature(shape_of(layer.cell), always_ready=True)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        layer = self._layer
        advance, both = Signal(), Signal()
        m.d.comb += [
            advance.eq(~self.o.valid | self.o.ready),
            both.eq(self.x.valid & self.h.valid),
            self.x.ready.eq(advance & self.h.valid),
            self.h.ready.eq(advance & self.x.valid),
        ]

        def register(value, name):
            signal = Signal(value.shape(), name=name, reset_less=True)
            with m.If(advance):
                m.d.sync += signal.eq(value)
            return signal

        def delay(value, cycles, name):
            for k in range(cycles):
                value = register(value, f"{name}_{k}")
            return value

        def rounded(value, shift):
            return shift_round(value, shift, layer.rounding)

        def clamped(value, fmt):
            return saturate(value, fmt.min, fmt.max)

        def lookup(table, value, latency, name):
            m.submodules[name] = unit = Lookup(table)
            m.d.comb += [unit.en.eq(advance), unit.i.eq(value)]
            return delay(unit.o, latency - unit.latency, name)

        gates = {}
        for lane, gate in enumerate("ifog"):
            total = rounded(self.x.payload[lane] + self.h.payload[lane], layer.guard_bits)
            z = register(clamped(total, layer.tanh.input), f"preactivation_{gate}")
            table = layer.tanh if gate == "g" else layer.sigmoid
            gates[gate] = lookup(table, z, self._gate_latency, f"gate_{gate}")

        # Where each cell is, counted in cycles since its terms were taken.
        valid = [both]
        for k in range(self.latency - 1):
            stage = Signal(name=f"valid_{k}")
            with m.If(advance):
                m.d.sync += stage.eq(valid[-1])
            valid.append(stage)
        with m.If(advance):
            m.d.sync += self.o.valid.eq(valid[-1])

        m.submodules.cells = cells = memory.Memory(
            shape=shape_of(layer.cell), depth=layer.cells, init=[]
        )
        read, write = cells.read_port(), cells.write_port()
        at_read, at_write = self._gate_latency, self._gate_latency + 3
        for port, stage, name in ((read, at_read, "read"), (write, at_write, "write")):
            address = Signal(range(layer.cells), name=f"{name}_cell")
            m.d.comb += port.addr.eq(address)
            with m.If(advance & valid[stage]):
                m.d.sync += address.eq(Mux(address == layer.cells - 1, 0, address + 1))

        # The cell state is read beside the last stage of the gate tables.
        before = Signal(shape_of(layer.cell))
        m.d.comb += [read.en.eq(advance), before.eq(Mux(self.fresh, 0, read.data))]
        kept = register(gates["f"] * before, "kept")
        added = register(gates["i"] * gates["g"], "added")
        state = register(
            clamped(
                rounded(kept, layer.forget_shift) + rounded(added, layer.input_shift), layer.cell
            ),
            "state",
        )
        m.d.comb += [
            write.en.eq(advance & valid[at_write]),
            write.data.eq(state),
            self.state.valid.eq(write.en),
            self.state.payload.eq(state),
        ]

        address = clamped(rounded(state, layer.cell_shift), layer.tanh.input)
        squashed = lookup(layer.tanh, address, self._tanh_latency, "cell_tanh")
        opened = delay(gates["o"], 2 + self._tanh_latency, "opened")
        product = register(opened * squashed, "product")
        output = clamped(rounded(product, layer.output_shift), layer.cell_output.format)
        m.d.comb += self.o.payload[0].eq(register(output, "output"))
        return m
