"""The elementwise part of an LSTM's backward step: gradients of h and c to those of the gates."""

from collections.abc import Callable

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import memory, stream, wiring
from amaranth.lib.data import ArrayLayout, StructLayout
from amaranth.lib.wiring import In, Out

from fxsim.arithmetic.formats import IntFormat
from fxsim.arithmetic.stochastic import WORD_BITS, Stochastic
from fxsim.errors import ConfigError
from fxsim.hw.backward.block_order import BlockOrder
from fxsim.hw.backward.random_words import RandomWords
from fxsim.hw.backward.steps import STEP_BITS, StepCounter
from fxsim.hw.blocks.arith import Bounded, saturate, shift_round, shift_round_random
from fxsim.hw.blocks.layouts import beat_of, shape_of
from fxsim.hw.blocks.lookup import Lookup
from fxsim.hw.blocks.pipeline import Pipeline
from fxsim.network import QuantizedLstm
from fxsim.network.lstm_gradient import STREAMS, LstmGradient

_GATES = ("i", "f", "o", "g")
_STATE = ("output", "kept")


def stored_of(layer: QuantizedLstm, lanes: int) -> ArrayLayout:
    """State of ``lanes`` cells from the forward pass: gates, cell state, and the one before."""
    sigmoid, tanh = shape_of(layer.sigmoid.output), shape_of(layer.tanh.output)
    cell = shape_of(layer.cell)
    gates = {"i": sigmoid, "f": sigmoid, "o": sigmoid, "g": tanh}
    return ArrayLayout(StructLayout({**gates, "cell": cell, "before": cell}), lanes)


class GateGradient(wiring.Component):
    """Stored forward values and the gradient of h to thresholded gate gradients.

    The formulas are those of `fxsim.network.lstm_gradient.LstmGradient` (Zhu et al. 2017, section
    3). The gradient of the cell state stays inside: what the next step needs of it, f * dc of each
    cell, is kept exact in a memory, so neither dc nor the f of the later step is an input. tanh(c)
    is looked up again, from the table of the forward pass: c must be stored anyway, as the state
    before the next step, and tanh(c) need not.

    Parameters
    ----------
    gradient : LstmGradient
        Its threshold, and the seed of stochastic rounding, are ports here.
    lanes : int
        Cells of a beat; 4 * lanes divide the cells.

    Attributes
    ----------
    latency : int
        Cycles from a beat of cells to their gate gradients in front of the `BlockOrder`.

    Members
    -------
    i : In(stream of ``lanes`` stored cells, see `stored_of`)
        Steps of a sequence from the last to the first; ``before`` of step 0 is taken as 0.
    dy : In(stream of ``lanes`` gradients of h from above)
    r : In(stream of ``lanes`` gradients of h from the step after)
        None for the last step of a sequence, which comes first.
    o : Out(stream of ``4 * lanes`` gate gradients)
        A vector in block order i, f, o, g for each step.
    dc : Out(stream of ``lanes`` gradients of the cell state, always ready)
        For testbenches.
    threshold : In(unsigned)
        Gate gradients of at most this magnitude become 0; may change while no beat is inside.
    steps : In(unsigned)
        Steps of a sequence; must hold still from reset on.
    seed : In(32)
        With stochastic rounding only; must hold still from reset on.

    ``lanes`` cells a cycle, without a bubble between steps. The first gate gradients leave
    `latency` + 2 cycles after the fourth beat of a step.

    Raises
    ------
    ConfigError
        If ``4 * lanes`` does not divide the cells.
    """

    def __init__(self, gradient: LstmGradient, *, lanes: int):
        layer = gradient.layer
        if lanes < 1 or layer.cells % (4 * lanes):
            raise ConfigError(f"cells ({layer.cells}) must be a multiple of 4 * lanes, not {lanes}")
        self._gradient, self._lanes = gradient, lanes
        self._beats = layer.cells // lanes
        self._stochastic = isinstance(gradient.rounding, Stochastic)
        self._table_latency = 3 if layer.tanh.step_bits else 2
        self.latency = 7 + self._table_latency
        dh = stream.Signature(beat_of(gradient.dh.format, lanes))
        members = {
            "i": In(stream.Signature(stored_of(layer, lanes))),
            "dy": In(dh),
            "r": In(dh),
            "o": Out(stream.Signature(beat_of(gradient.dnet.format, 4 * lanes))),
            "dc": Out(stream.Signature(beat_of(gradient.dc.format, lanes), always_ready=True)),
            "threshold": In(gradient.dnet.bits - 1),
            "steps": In(STEP_BITS),
        }
        if self._stochastic:
            members["seed"] = In(WORD_BITS)
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        gradient, lanes, table = self._gradient, self._lanes, self._table_latency
        m.submodules.place = place = StepCounter(beats=self._beats)
        m.submodules.order = order = BlockOrder(
            fmt=gradient.dnet.format, lanes=lanes, beats=self._beats
        )
        wiring.connect(m, order.o, wiring.flipped(self.o))

        at_state, at_gates = 3 + table, 5 + table  # cycles after which these are cut
        words: dict[tuple[str, ...], stream.Interface] = {}
        present = self._words(m, words) if self._stochastic else 1
        advance = Signal()
        accept = Signal()
        taken = Signal()
        pipeline = Pipeline(m, order.i, advance)
        given = Signal()  # r is there, or is none
        m.d.comb += [
            given.eq(place.fresh | self.r.valid),
            taken.eq(advance & present),
            accept.eq(taken & self.i.valid & self.dy.valid & given),
            self.i.ready.eq(taken & self.dy.valid & given),
            self.dy.ready.eq(taken & self.i.valid & given),
            self.r.ready.eq(taken & self.i.valid & self.dy.valid & ~place.fresh),
            place.en.eq(accept),
            place.steps.eq(self.steps),
        ]
        stages = pipeline.stages(self.latency, accept, fresh=place.fresh)
        valid, fresh = zip(*stages, strict=True)
        m.d.comb += order.i.valid.eq(valid[-1])
        for group, at in ((_STATE, at_state), (_GATES, at_gates)):
            if self._stochastic:
                m.d.comb += words[group].ready.eq(advance & valid[at])

        # f * dc of each cell. A step has four beats at least, as many as there are between the
        # cycle in which a word is written and the one in which its next reader comes.
        kept_shape = signed(gradient.dc.bits + gradient.layer.sigmoid.bits)
        m.submodules.kept = kept = memory.Memory(
            shape=ArrayLayout(kept_shape, lanes), depth=self._beats, init=[]
        )
        read, write = kept.read_port(), kept.write_port()
        for port, stage, name in ((read, at_state - 1, "read"), (write, at_gates, "write")):
            address = Signal(range(self._beats), name=f"{name}_beat")
            m.d.comb += port.addr.eq(address)
            with m.If(advance & valid[stage]):
                m.d.sync += address.eq(Mux(address == self._beats - 1, 0, address + 1))
        m.d.comb += [
            read.en.eq(advance),
            write.en.eq(advance & valid[at_gates]),
            self.dc.valid.eq(advance & valid[at_state + 1]),
        ]

        for lane in range(lanes):

            def random(name: str, lane: int = lane) -> Value:
                group = _STATE if name in _STATE else _GATES
                return words[group].payload[group.index(name)][lane]

            later = Mux(fresh[at_state], 0, read.data[lane])
            dnet, dc, kept = self._cell(m, pipeline, lane, place, later, random)
            m.d.comb += [
                self.dc.payload[lane].eq(dc),
                write.data[lane].eq(kept),
                *(order.i.payload[k][lane].eq(dnet[gate]) for k, gate in enumerate(_GATES)),
            ]
        return m

    def _cell(
        self,
        m: Module,
        pipeline: Pipeline,
        lane: int,
        place: StepCounter,
        later: Value,
        random: Callable[[str], Value],
    ) -> tuple[dict[str, Value], Value, Value]:
        """The pipeline of one lane: its gate gradients, dc, and what to keep of it."""
        gradient, layer = self._gradient, self._gradient.layer
        one, one_squared = 1 << layer.sigmoid.bits, 1 << 2 * layer.tanh.bits
        table = self._table_latency

        def register(term: Bounded, name: str) -> Bounded:
            signal = pipeline.register(term.value, f"{name}_{lane}", term.shape)
            return Bounded(signal, term.low, term.high)

        def delay(term: Bounded, cycles: int, name: str) -> Bounded:
            for k in range(cycles):
                term = register(term, f"{name}_{k}")
            return term

        def product(a: Bounded, b: Bounded, name: str) -> Bounded:
            return register(a * b, name)

        def clamped(value: Value, fmt: IntFormat) -> Bounded:
            return Bounded(saturate(value, fmt.min, fmt.max), fmt.min, fmt.max)

        def cut(value: Value, name: str) -> Value:
            shift, rounding = gradient.shifts[name], gradient.rounding
            if isinstance(rounding, Stochastic):
                return shift_round_random(value, shift, random(name))
            return shift_round(value, shift, rounding)

        def slope(gate: Bounded, name: str) -> Bounded:
            """Slope of a sigmoid."""
            steep = Bounded(gate.value * (one - gate.value), 0, (one // 2) ** 2)
            return register(steep, name)

        def tanh_slope(value: Bounded, name: str) -> Bounded:
            least = one_squared - max(value.low**2, value.high**2)
            return register(
                Bounded(one_squared - value.value * value.value, least, one_squared), name
            )

        # 1: inputs.
        stored = self.i.payload[lane]
        i, f, o, g = (register(Bounded.whole(stored[gate]), f"gate_{gate}") for gate in _GATES)
        before = Bounded(Mux(place.final, 0, stored.before), layer.cell.min, layer.cell.max)
        before = register(before, "before")
        total = self.dy.payload[lane] + Mux(place.fresh, 0, self.r.payload[lane])
        dh = register(clamped(total, gradient.dh.format), "dh")
        address = shift_round(stored.cell, layer.cell_shift, layer.rounding)
        address = register(clamped(address, layer.tanh.input), "address")

        # Independent of dc: in the cycles of the table, and up to that in which dc is known.
        m.submodules[f"tanh{lane}"] = tanh = Lookup(layer.tanh)
        m.d.comb += [tanh.en.eq(pipeline.advance), tanh.i.eq(address.value)]
        fmt = layer.tanh.output
        q = Bounded(tanh.o, fmt.min, fmt.max)
        slope_o = delay(slope(o, "slope_o"), table - 1, "slope_o")
        opened = delay(product(dh, o, "opened"), table, "opened")
        factor_i = product(delay(g, 1, "g"), slope(i, "slope_i"), "factor_i")
        factor_f = product(delay(before, 1, "before"), slope(f, "slope_f"), "factor_f")
        factor_g = product(delay(i, 1, "i"), tanh_slope(g, "slope_g"), "factor_g")
        factors = {
            name: delay(factor, 1 + table, f"factor_{name}")
            for name, factor in (("i", factor_i), ("f", factor_f), ("g", factor_g))
        }
        factor_o = product(q, slope_o, "factor_o")
        exact_o = product(delay(dh, 1 + table, "dh"), factor_o, "exact_o")

        # 3 + table: dc.
        output = product(opened, tanh_slope(q, "slope_q"), "output")
        dc = clamped(cut(output.value, "output") + cut(later, "kept"), gradient.dc.format)
        dc = register(dc, "dc")

        # 5 + table: gate gradients.
        exact = {name: product(dc, factor, f"exact_{name}") for name, factor in factors.items()}
        exact["o"] = delay(exact_o, 2, "exact_o")
        kept = product(dc, delay(f, 3 + table, "f"), "kept")
        dnet = {}
        for name in _GATES:
            value = clamped(cut(exact[name].value, name), gradient.dnet.format)
            value = register(value, f"dnet_{name}")
            magnitude = Mux(value.value < 0, -value.value, value.value)
            passed = Mux(magnitude > self.threshold, value.value, 0)
            dnet[name] = register(Bounded(passed, value.low, value.high), f"passed_{name}").value
        return dnet, dc.value, kept.value

    def _words(self, m: Module, words: dict[tuple[str, ...], stream.Interface]) -> Value:
        """Generators of random words for both cuts; returns whether they are there."""
        for group, name in ((_STATE, "state_words"), (_GATES, "gate_words")):
            m.submodules[name] = unit = RandomWords(
                streams=tuple(STREAMS.index(cut) for cut in group),
                items=self._gradient.layer.cells,
                lanes=self._lanes,
            )
            m.d.comb += [unit.seed.eq(self.seed), unit.steps.eq(self.steps)]
            words[group] = unit.o
        return words[_STATE].valid & words[_GATES].valid
