"""The elementwise part of an LSTM step: gates, cell state, output."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from fxsim.arithmetic.formats import IntFormat
from fxsim.hw.blocks.arith import is_zero, saturate, shift_round
from fxsim.hw.blocks.layouts import layout_of, shape_of
from fxsim.hw.blocks.lookup import Lookup
from fxsim.hw.blocks.pipeline import Pipeline
from fxsim.network import Table
from fxsim.plan.lstm_cell import LstmCellConfig


class LstmCell(wiring.Component):
    """Pre-activation terms to h, with the cell state in a memory.

    The formulas are those of `fxsim.network.QuantizedLstm`. With 3 ``multipliers``, f * c, i * g
    and o * tanh(c) have a multiplier each and a cell is taken every cycle. With 1 they take turns:
    cells are 3 cycles apart, and where a cell is in the pipeline says whose turn it is.

    Parameters
    ----------
    config : LstmCellConfig

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

    One cell every ``3 / multipliers`` cycles. The next step must not start before this one has
    left, as the recurrence sees to by itself.
    """

    def __init__(self, config: LstmCellConfig):
        self._config = config
        lookup = 3 if config.tanh.step_bits else 2, 3 if config.sigmoid.step_bits else 2
        self._gate_latency, self._tanh_latency = max(lookup), lookup[0]
        # A shared multiplier is free for i * g a cycle later, for o * tanh(c) when its turn comes.
        self._shared = config.multipliers == 1
        self._wait = -(self._tanh_latency + 1) % 3 if self._shared else 0
        self._state_stage = 1 + self._gate_latency + (3 if self._shared else 2)
        self.latency = self._state_stage + self._tanh_latency + self._wait + 2
        super().__init__(
            {
                "x": In(stream.Signature(layout_of(config.operands[0]))),
                "h": In(stream.Signature(layout_of(config.operands[1]))),
                "fresh": In(1),
                "o": Out(stream.Signature(layout_of(config.o))),
                "state": Out(stream.Signature(shape_of(config.cell), always_ready=True)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        advance, both = Signal(), Signal()
        turn = Signal() if self._shared else Const(1, 1)
        pipeline = Pipeline(m, self.o, advance)
        register, delay = pipeline.register, pipeline.delay
        m.d.comb += [
            both.eq(self.x.valid & self.h.valid & turn),
            self.x.ready.eq(advance & self.h.valid & turn),
            self.h.ready.eq(advance & self.x.valid & turn),
        ]

        def rounded(value: Value, shift: int) -> Value:
            return shift_round(value, shift, config.rounding)

        def clamped(value: Value, fmt: IntFormat) -> Value:
            return saturate(value, fmt.min, fmt.max)

        def lookup(table: Table, value: Value, latency: int, name: str) -> Value:
            m.submodules[name] = unit = Lookup(table)
            m.d.comb += [unit.en.eq(advance), unit.i.eq(value)]
            return delay(unit.o, latency - unit.latency, name)

        if self._shared:
            phase = Signal(2)  # stages of the cells inside, modulo 3
            left = Signal(config.sigmoid.bits)
            right = Signal(signed(max(config.cell.bits, config.tanh.output.bits)))
            shared = register(left * right, "shared")

        def multiply(stage: int, a: Value, b: Value, name: str) -> Signal:
            """Register with a * b, the operands being those of the cell in ``stage``."""
            if not self._shared:
                return register(a * b, name)
            with m.If(phase == stage % 3):
                m.d.comb += [left.eq(a), right.eq(b)]
            return shared

        gates = {}
        for lane, gate in enumerate("ifog"):
            total = rounded(self.x.payload[lane] + self.h.payload[lane], config.guard_bits)
            z = register(clamped(total, config.tanh.input), f"preactivation_{gate}")
            table = config.tanh if gate == "g" else config.sigmoid
            gates[gate] = lookup(table, z, self._gate_latency, f"gate_{gate}")

        # Where each cell is, counted in cycles since its terms were taken.
        valid = [valid for (valid,) in pipeline.stages(self.latency - 1, both)]
        pipeline.end(valid[-1])

        if self._shared:
            # Cells are 3 cycles apart, or more; an empty pipeline takes the next one at once.
            idle = is_zero(Cat(valid[1:]))
            m.d.comb += turn.eq(idle | is_zero(phase))
            with m.If(advance):
                m.d.sync += phase.eq(Mux(both, 1, Mux(idle | (phase == 2), 0, phase + 1)))

        m.submodules.cells = cells = memory.Memory(
            shape=shape_of(config.cell), depth=config.cells, init=[]
        )
        read, write = cells.read_port(), cells.write_port()
        at_read, at_write = self._gate_latency, self._state_stage
        for port, stage, name in ((read, at_read, "read"), (write, at_write, "write")):
            address = Signal(range(config.cells), name=f"{name}_cell")
            m.d.comb += port.addr.eq(address)
            with m.If(advance & valid[stage]):
                m.d.sync += address.eq(Mux(address == config.cells - 1, 0, address + 1))

        # The cell state is read beside the last stage of the gate tables.
        before = Signal(shape_of(config.cell))
        m.d.comb += [read.en.eq(advance), before.eq(Mux(self.fresh, 0, read.data))]
        stage = 1 + self._gate_latency
        kept = multiply(stage, gates["f"], before, "kept")
        if self._shared:
            stage += 1
            kept = register(rounded(kept, config.forget_shift), "kept_round")
            gates |= {gate: register(gates[gate], f"late_{gate}") for gate in "igo"}
        else:
            kept = rounded(kept, config.forget_shift)
        added = rounded(multiply(stage, gates["i"], gates["g"], "added"), config.input_shift)
        state = register(clamped(kept + added, config.cell), "state")
        m.d.comb += [
            write.en.eq(advance & valid[at_write]),
            write.data.eq(state),
            self.state.valid.eq(write.en),
            self.state.payload.eq(state),
        ]

        address = clamped(rounded(state, config.cell_shift), config.tanh.input)
        wait = self._tanh_latency + self._wait
        squashed = lookup(config.tanh, address, wait, "cell_tanh")
        opened = delay(gates["o"], 2 + wait, "opened")
        product = multiply(stage + 2 + wait, opened, squashed, "product")
        output = clamped(rounded(product, config.output_shift), config.output)
        m.d.comb += self.o.payload[0].eq(register(output, "output"))
        return m
