"""Accumulator -> activation: multiply, offset, rounding shift, relu, zero point, overflow."""

from collections.abc import Iterable

from amaranth.hdl import Module, Mux, Shape, Signal, Value
from amaranth.lib import memory, stream, wiring
from amaranth.lib.data import ArrayLayout, View
from amaranth.lib.wiring import In, Out

from fxsim.arithmetic.formats import Overflow
from fxsim.hw.blocks.arith import saturate, shape_spanning, shift_round
from fxsim.hw.blocks.layouts import beat_of, shape_of
from fxsim.hw.blocks.pipeline import Pipeline
from fxsim.plan.requantizer import RequantizerConfig, spanning


class Requantizer(wiring.Component):
    """`fxsim.arithmetic.integers.requantize` on ``lanes`` values a cycle.

    Parameters
    ----------
    config : RequantizerConfig

    Members
    -------
    i : In(stream of ``lanes`` accumulators)
        ceil(items / lanes) beats a vector; they are counted when channels have constants of their
        own.
    o : Out(stream of ``lanes`` activations)

    Latency is `latency` cycles: 4, less 1 when all channels share multiplier and offset, less 1 for
    a plain shift. One beat a cycle.
    """

    def __init__(self, config: RequantizerConfig):
        self._config = config
        super().__init__(
            {
                "i": In(stream.Signature(beat_of(config.accumulator, config.lanes))),
                "o": Out(stream.Signature(beat_of(config.output.format, config.lanes))),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from an input beat to its output."""
        return 2 + self._config.scales + self._config.per_channel

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        advance = Signal()
        pipeline = Pipeline(m, self.o, advance)
        m.d.comb += self.i.ready.eq(advance)

        def register(
            values: Iterable[Value], name: str, shape: Shape | None = None
        ) -> list[Signal]:
            """Registers of all lanes."""
            named = enumerate(values)
            return [pipeline.register(value, f"{name}_{lane}", shape) for lane, value in named]

        lanes = [self.i.payload[lane] for lane in range(config.lanes)]
        multipliers, offsets, *others = self._constants(m, advance)
        if config.per_channel:
            lanes = register(lanes, "accumulator")
        if config.scales:
            if others:
                (below,) = others
                offsets = [
                    Mux(lane < config.split, under, offset)
                    for lane, under, offset in zip(lanes, below, offsets, strict=True)
                ]
            # A multiplier and the adder of an offset are one DSP block.
            scaled = zip(lanes, multipliers, offsets, strict=True)
            values = [a * factor + offset for a, factor, offset in scaled]
            lanes = register(values, "product", shape_spanning(*config.product_bounds))
        lanes = [value >> config.slack_bits for value in lanes]
        shift = config.shift - config.slack_bits
        rounded = [shift_round(value, shift, config.rounding) for value in lanes]
        low, _ = config.product_bounds
        if config.relu and low < 0:
            rounded = [Mux(value < 0, 0, value) for value in rounded]
        lanes = register([value + config.output.zero_point for value in rounded], "rounded")
        if config.overflow is Overflow.SATURATE:
            lanes = [saturate(value, *config.bounds) for value in lanes]
        # Wrapping needs no logic: the assignment to the payload keeps the low bits.
        for lane, value in enumerate(register(lanes, "activation")):
            m.d.comb += self.o.payload[lane].eq(value)

        pipeline.end(*pipeline.stages(self.latency - 1, self.i.valid)[-1])
        return m

    def _constants(self, m: Module, advance: Value) -> list[View | list[int]]:
        """Constants of a beat's lanes, in order; a ROM gives those that channels differ in."""
        config = self._config
        beat = Signal(range(config.beats))
        if config.per_channel:
            with m.If(self.i.valid & advance):
                m.d.sync += beat.eq(Mux(beat == config.beats - 1, 0, beat + 1))
        found = []
        for name, constants in config.constants.items():
            if name not in config.memories:
                found.append(constants.tolist()[:1] * config.lanes)
                continue
            m.submodules[name] = rom = memory.Memory(
                shape=ArrayLayout(shape_of(spanning(constants)), config.lanes),
                depth=config.beats,
                init=config.words(constants),
            )
            port = rom.read_port()
            m.d.comb += [port.en.eq(advance), port.addr.eq(beat)]
            found.append(port.data)
        return found
