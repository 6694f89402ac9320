"""Backpropagation through time of an LSTM layer, over whole sequences, at the cost of non-zeros."""

from dataclasses import dataclass

from amaranth.hdl import Const, Module, Mux
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fxsim.arithmetic.formats import IntFormat
from fxsim.arithmetic.stochastic import WORD_BITS, Stochastic
from fxsim.errors import ConfigError
from fxsim.hw.backward.gate_gradient import GateGradient, stored_of
from fxsim.hw.backward.outer_accumulator import COUNT_BITS, OuterAccumulator, OuterConfig
from fxsim.hw.backward.steps import STEP_BITS, StepCounter
from fxsim.hw.backward.transposed import Transposed, TransposedConfig
from fxsim.hw.blocks.fork import Fork
from fxsim.hw.blocks.layouts import beat_of
from fxsim.hw.skip.pairs import ZeroSkipConfig
from fxsim.hw.skip.replay import ReplayBuffer
from fxsim.hw.skip.zero_skip import ZeroSkipper
from fxsim.network import Activation, QuantizedLinear
from fxsim.network.lstm_gradient import STREAMS, LstmGradient, row_multipliers

_ONE = Activation(format=IntFormat(bits=2, signed=True), scale=1.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class LstmBackwardConfig:
    """Contract and folding of an `LstmBackward`.

    Parameters
    ----------
    gradient : LstmGradient
    lanes : int
        Cells of a beat; 4 * lanes divide the cells. Gradients of h and x have as many lanes.
    dh_rows, dx_rows : int
        Outputs of the transposed products that are computed at a time.
    dU_columns, dW_columns : int
        Values of h and x that are multiplied at a time.
    depth : int
        Beats that the queue of the `ZeroSkipper` holds.
    dsp : bool
        Whether multipliers are meant for DSP blocks or for LUTs.
    """

    gradient: LstmGradient
    lanes: int
    dh_rows: int
    dx_rows: int
    dU_columns: int
    dW_columns: int
    depth: int = 16
    dsp: bool = True

    def __post_init__(self) -> None:
        if self.lanes < 1:
            raise ConfigError(f"lanes must be at least 1, not {self.lanes}")

    @property
    def skip(self) -> ZeroSkipConfig:
        """Configuration of the skipper of gate gradients."""
        return ZeroSkipConfig(
            gradient=self.gradient.dnet.format,
            items=4 * self.gradient.layer.cells,
            lanes=4 * self.lanes,
            issue=1,
            depth=self.depth,
        )

    @property
    def dh(self) -> TransposedConfig:
        """Configuration of the product dh = U^T dnet."""
        gradient = self.gradient
        product, fmt = gradient.layer.hidden_product, gradient.dh.format
        return self._transposed(product, self.dh_rows, fmt, "dh")

    @property
    def dx(self) -> TransposedConfig:
        """Configuration of the product dx = W^T dnet."""
        gradient = self.gradient
        product, fmt = gradient.layer.input_product, gradient.dx.format
        return self._transposed(product, self.dx_rows, fmt, "dx")

    def _transposed(
        self, product: QuantizedLinear, rows: int, output: IntFormat, name: str
    ) -> TransposedConfig:
        return TransposedConfig(
            skip=self.skip,
            rows=rows,
            lanes=self.lanes,
            weight=product.weight_format,
            weights=product.weight,
            multipliers=row_multipliers(product),
            shift=self.gradient.shifts[name],
            rounding=self.gradient.rounding,
            number=STREAMS.index(name),
            output=output,
            dsp=self.dsp,
        )

    @property
    def dU(self) -> OuterConfig:
        """Configuration of dU, the sums of outer products with h."""
        layer = self.gradient.layer
        return self._outer(layer.cells, self.dU_columns, layer.output)

    @property
    def dW(self) -> OuterConfig:
        """Configuration of dW, the sums of outer products with x."""
        layer = self.gradient.layer
        return self._outer(layer.inputs, self.dW_columns, layer.input)

    @property
    def db(self) -> OuterConfig:
        """Configuration of db, the sums of gate gradients."""
        return self._outer(1, 1, _ONE)

    def _outer(self, inputs: int, columns: int, source: Activation) -> OuterConfig:
        return OuterConfig(
            skip=self.skip,
            inputs=inputs,
            columns=columns,
            source=source,
            accumulator=self.gradient.accumulator,
        )


class LstmBackward(wiring.Component):
    """The backward pass of `fxsim.network.lstm_gradient.LstmGradient`, all of it.

    Gate gradients go through one `ZeroSkipper` to five consumers, each after a buffer of two
    vectors: dh, which goes round to the `GateGradient` for the step before, dx, dU, dW, and db,
    which is an outer product with 1. Only dh is part of the recurrence; the others work on a step
    while the next ones are under way.

    Parameters
    ----------
    config : LstmBackwardConfig

    Members
    -------
    i : In(stream of ``lanes`` stored cells, see `fxsim.hw.backward.gate_gradient.stored_of`)
        Steps of a sequence from the last to the first, for all inputs; ``before`` of step 0 is
        taken as 0.
    dy : In(stream of ``lanes`` gradients of h from above)
    x : In(stream of ``dW_columns`` inputs of the layer)
    h : In(stream of ``dU_columns`` hidden values of the step before)
        Those of step 0 are taken as 0.
    dx : Out(stream of ``lanes`` gradients of x), one vector a step
    dh0 : Out(stream of ``lanes`` gradients of h before the first step), one vector a sequence
    dW, dU, db : Out(streams of accumulators), see `fxsim.hw.backward.outer_accumulator`
        Rows in block order i, f, o, g, after every ``vectors`` steps.
    dnet : Out(stream of ``4 * lanes`` gate gradients, always ready)
        For testbenches.
    threshold : In(unsigned)
        See `fxsim.hw.backward.gate_gradient.GateGradient`.
    steps : In(unsigned)
        Of a sequence; must hold still from reset on.
    vectors : In(unsigned)
        Steps of all sequences of a batch; must hold still from reset on.
    seed : In(32)
        With stochastic rounding only; must hold still from reset on.

    Steps follow one another as fast as the recurrence and the slowest consumer allow;
    `fxsim.timing.lstm_gradient.lstm_backward_cycles` knows the exact cycles.
    """

    def __init__(self, config: LstmBackwardConfig):
        self._config = config
        gradient, lanes = config.gradient, config.lanes
        layer = gradient.layer
        self._stochastic = isinstance(gradient.rounding, Stochastic)
        dnet = stream.Signature(beat_of(gradient.dnet.format, 4 * lanes), always_ready=True)
        dh = stream.Signature(beat_of(gradient.dh.format, lanes))

        def sums(columns: int) -> wiring.Member:
            return Out(stream.Signature(beat_of(gradient.accumulator, columns)))

        members = {
            "i": In(stream.Signature(stored_of(layer, lanes))),
            "dy": In(dh),
            "x": In(stream.Signature(beat_of(layer.input.format, config.dW_columns))),
            "h": In(stream.Signature(beat_of(layer.output.format, config.dU_columns))),
            "dx": Out(stream.Signature(beat_of(gradient.dx.format, lanes))),
            "dh0": Out(dh),
            "dW": sums(config.dW_columns),
            "dU": sums(config.dU_columns),
            "db": sums(1),
            "dnet": Out(dnet),
            "threshold": In(gradient.dnet.bits - 1),
            "steps": In(STEP_BITS),
            "vectors": In(COUNT_BITS),
        }
        if self._stochastic:
            members["seed"] = In(WORD_BITS)
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        m.submodules.gates = gates = GateGradient(config.gradient, lanes=config.lanes)
        m.submodules.skipper = skipper = ZeroSkipper(config.skip)
        m.submodules.fork = fork = Fork(config.skip.group, sinks=5)
        wiring.connect(m, wiring.flipped(self.i), gates.i)
        wiring.connect(m, wiring.flipped(self.dy), gates.dy)
        wiring.connect(m, gates.o, skipper.i)
        wiring.connect(m, skipper.o, fork.i)
        m.d.comb += [
            gates.threshold.eq(self.threshold),
            self.dnet.valid.eq(gates.o.valid & gates.o.ready),
            self.dnet.payload.eq(gates.o.payload),
        ]

        def buffered(name: str, sink: stream.Interface, tiles: int) -> stream.Interface:
            m.submodules[f"{name}_pairs"] = buffer = ReplayBuffer(config.skip, tiles=tiles)
            wiring.connect(m, sink, buffer.i)
            return buffer.o

        timed: list[wiring.Component] = [gates]
        products: dict[str, Transposed] = {}
        for name, sink in zip(("dh", "dx"), fork.o[:2], strict=True):
            product_config = getattr(config, name)
            m.submodules[name] = product = Transposed(product_config)
            wiring.connect(m, buffered(name, sink, product_config.tiles), product.i)
            products[name] = product
            if self._stochastic:
                timed.append(product)
        wiring.connect(m, products["dx"].o, wiring.flipped(self.dx))
        timed.append(self._hand_on(m, products["dh"].o, gates.r))

        sums = {}
        for name, sink in zip(("dW", "dU", "db"), fork.o[2:], strict=True):
            outer_config = getattr(config, name)
            m.submodules[name] = outer = OuterAccumulator(outer_config)
            wiring.connect(m, buffered(name, sink, outer_config.tiles), outer.i)
            wiring.connect(m, outer.o, wiring.flipped(getattr(self, name)))
            m.d.comb += outer.vectors.eq(self.vectors)
            sums[name] = outer
        wiring.connect(m, wiring.flipped(self.x), sums["dW"].x)
        timed.append(self._take_h(m, sums["dU"].x))
        m.d.comb += [sums["db"].x.valid.eq(1), sums["db"].x.payload[0].eq(1)]

        m.d.comb += [unit.steps.eq(self.steps) for unit in timed]
        if self._stochastic:
            m.d.comb += gates.seed.eq(self.seed)
            m.d.comb += [product.seed.eq(self.seed) for product in products.values()]
        return m

    def _hand_on(self, m: Module, source: stream.Interface, r: stream.Interface) -> StepCounter:
        """Gradients of h: to the step before, or out where there is none."""
        beats = self._config.gradient.layer.cells // self._config.lanes
        m.submodules.handed = place = StepCounter(beats=beats)
        m.d.comb += [
            r.payload.eq(source.payload),
            self.dh0.payload.eq(source.payload),
            r.valid.eq(source.valid & ~place.final),
            self.dh0.valid.eq(source.valid & place.final),
            source.ready.eq(Mux(place.final, self.dh0.ready, r.ready)),
            place.en.eq(source.valid & source.ready),
        ]
        return place

    def _take_h(self, m: Module, sink: stream.Interface) -> StepCounter:
        """Hidden values of the step before, or 0 where there is none."""
        m.submodules.taken = place = StepCounter(beats=self._config.dU.tiles)
        zero = Const(0, len(sink.payload.as_value()))
        m.d.comb += [
            sink.payload.eq(Mux(place.final, zero, self.h.payload.as_value())),
            sink.valid.eq(self.h.valid),
            self.h.ready.eq(sink.ready),
            place.en.eq(sink.valid & sink.ready),
        ]
        return place
