"""The elementwise part of an LSTM step: gates, cell state, output."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from fxsim.arithmetic.formats import IntFormat
from fxsim.hw.blocks.arith import is_zero, saturate, shift_round
from fxsim.hw.blocks.layouts import layout_of, shape_of
from fxsim.hw.blocks.lookup import Lookup
from fxsim.hw.blocks.named import named
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
        advance = Signal()
        both = Signal()
        turn = Signal() if self._shared else Const(1, 1)
        pipeline = Pipeline(m, self.o, advance)
        m.d.comb += [
            both.eq(self.x.valid & self.h.valid & turn),
            self.x.ready.eq(advance & self.h.valid & turn),
            self.h.ready.eq(advance & self.x.valid & turn),
        ]

        steps = _Steps(m, pipeline, config)
        gates = {}
        for lane, gate in enumerate("ifog"):
            total = steps.rounded(self.x.payload[lane] + self.h.payload[lane], config.guard_bits)
            z = pipeline.register(steps.clamped(total, config.tanh.input), f"preactivation_{gate}")
            table = config.tanh if gate == "g" else config.sigmoid
            gates[gate] = steps.lookup(table, z, self._gate_latency, f"gate_{gate}")

        # Where each cell is, counted in cycles since its terms were taken.
        valid = [valid for (valid,) in pipeline.stages(self.latency - 1, both)]
        pipeline.end(valid[-1])

        if self._shared:
            # Cells are 3 cycles apart, or more; an empty pipeline takes the next one at once.
            phase, idle = steps.phase, is_zero(Cat(valid[1:]))
            m.d.comb += turn.eq(idle | is_zero(phase))
            with m.If(advance):
                m.d.sync += phase.eq(Mux(both, 1, Mux(idle | (phase == 2), 0, phase + 1)))

        read, write = self._memory(m, advance, valid)
        # The cell state is read in the same cycle as the last stage of the gate tables.
        before = Signal(shape_of(config.cell))
        m.d.comb += [read.en.eq(advance), before.eq(Mux(self.fresh, 0, read.data))]
        state = self._state(steps, gates, before)
        m.d.comb += [
            write.en.eq(advance & valid[self._state_stage]),
            write.data.eq(state),
            self.state.valid.eq(write.en),
            self.state.payload.eq(state),
        ]
        m.d.comb += self.o.payload[0].eq(self._output(steps, gates["o"], state))
        return m

    def _memory(
        self, m: Module, advance: Value, valid: Sequence[Value]
    ) -> tuple[memory.ReadPort, memory.WritePort]:
        """Memory of the cell states; returns its ports, at the address of the next cell."""
        config = self._config
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
        return read, write

    def _state(self, steps: "_Steps", gates: dict[str, Value], before: Value) -> Value:
        """New cell state, f * c + i * g; a shared multiplier takes i * g a cycle later."""
        config, register = self._config, steps.pipeline.register
        stage = 1 + self._gate_latency
        kept = steps.multiply(stage, gates["f"], before, "kept")
        if self._shared:
            stage += 1
            kept = register(steps.rounded(kept, config.forget_shift), "kept_round")
            gates |= {gate: register(gates[gate], f"late_{gate}") for gate in "igo"}
        else:
            kept = steps.rounded(kept, config.forget_shift)
        added = steps.multiply(stage, gates["i"], gates["g"], "added")
        total = kept + steps.rounded(added, config.input_shift)
        return register(steps.clamped(total, config.cell), "state")

    def _output(self, steps: "_Steps", gate: Value, state: Value) -> Value:
        """Output o * tanh(c) of the gate o and the new cell state."""
        config = self._config
        address = steps.clamped(steps.rounded(state, config.cell_shift), config.tanh.input)
        wait = self._tanh_latency + self._wait
        squashed = steps.lookup(config.tanh, address, wait, "cell_tanh")
        opened = steps.pipeline.delay(gate, 2 + wait, "opened")
        product = steps.multiply(self._state_stage + wait, opened, squashed, "product")
        output = steps.clamped(steps.rounded(product, config.output_shift), config.output)
        return steps.pipeline.register(output, "output")


class _Steps:
    """Arithmetic in the pipeline of a cell.

    Attributes
    ----------
    phase : Signal
        Stages of the cells inside, modulo 3, where they share a multiplier.
    """

    def __init__(self, m: Module, pipeline: Pipeline, config: LstmCellConfig):
        self._m, self.pipeline, self._config = m, pipeline, config
        self._shared = None
        if config.multipliers == 1:
            self.phase = Signal(2, name="phase")
            self._left = Signal(config.sigmoid.bits, name="left")
            bits = max(config.cell.bits, config.tanh.output.bits)
            self._right = Signal(signed(bits), name="right")
            self._shared = pipeline.register(self._left * self._right, "shared")

    def rounded(self, value: Value, shift: int) -> Value:
        return shift_round(named(self._m, value, "exact"), shift, self._config.rounding)

    def clamped(self, value: Value, fmt: IntFormat) -> Value:
        return saturate(named(self._m, value, "unclamped"), fmt.min, fmt.max)

    def lookup(self, table: Table, value: Value, latency: int, name: str) -> Value:
        """Entry of a table, ``latency`` stages later."""
        self._m.submodules[name] = unit = Lookup(table)
        self._m.d.comb += [unit.en.eq(self.pipeline.advance), unit.i.eq(value)]
        return self.pipeline.delay(unit.o, latency - unit.latency, name)

    def multiply(self, stage: int, a: Value, b: Value, name: str) -> Signal:
        """Register with a * b, where these are operands of the cell in ``stage``."""
        if self._shared is None:
            return self.pipeline.register(a * b, name)
        with self._m.If(self.phase == stage % 3):
            self._m.d.comb += [self._left.eq(a), self._right.eq(b)]
        return self._shared
