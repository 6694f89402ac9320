"""Accumulator -> activation: multiply, rounding shift, nonlinearity, zero point, overflow."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import memory, stream, wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from fxsim.formats import Overflow
from hw.arith import saturate, shift_round
from hw.config import RequantizerConfig
from hw.layouts import beat_of


class Requantizer(wiring.Component):
    """`fxsim.arith.requantize` on ``lanes`` values a cycle.

    Parameters
    ----------
    config : RequantizerConfig

    Members
    -------
    i : In(stream of ``lanes`` accumulators)
        ceil(items / lanes) beats a vector; they are counted when each channel has its multiplier.
    o : Out(stream of ``lanes`` activations)

    Latency is `latency` cycles: 4, less 1 when all channels share one multiplier, less 1 for a
    plain shift. One beat a cycle.
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
    def latency(self):
        """Cycles from an input beat to its output."""
        return 2 + (self._config.multiplier_bits > 0) + self._config.per_channel

    def elaborate(self, platform):
        m = Module()
        config = self._config
        advance = Signal()
        m.d.comb += [
            advance.eq(~self.o.valid | self.o.ready),
            self.i.ready.eq(advance),
        ]

        def register(values, name):
            """Registers behind ``values``, one for each lane, that move when the pipeline does."""
            stage = []
            for lane, value in enumerate(values):
                signal = Signal(value.shape(), name=f"{name}_{lane}", reset_less=True)
                with m.If(advance):
                    m.d.sync += signal.eq(value)
                stage.append(signal)
            return stage

        lanes = [self.i.payload[lane] for lane in range(config.lanes)]
        if config.per_channel:
            multiplier = self._multiplier_rom(m, advance)
            lanes = register(lanes, "accumulator")
        else:
            multiplier = config.multiplier.tolist()[:1] * config.lanes
        if config.multiplier_bits:
            lanes = register(
                [value * multiplier[lane] for lane, value in enumerate(lanes)], "product"
            )
        rounded = [shift_round(value, config.shift, config.rounding) for value in lanes]
        if config.relu:
            rounded = [Mux(value < 0, 0, value) for value in rounded]
        lanes = register([value + config.output.zero_point for value in rounded], "rounded")
        fmt = config.output.format
        if config.overflow is Overflow.SATURATE:
            lanes = [saturate(value, fmt.min, fmt.max) for value in lanes]
        # Wrapping needs no logic: the assignment to the payload keeps the low bits.
        for lane, value in enumerate(register(lanes, "activation")):
            m.d.comb += self.o.payload[lane].eq(value)

        valid = self.i.valid
        for k in range(self.latency - 1):
            stage = Signal(name=f"valid_{k}")
            with m.If(advance):
                m.d.sync += stage.eq(valid)
            valid = stage
        with m.If(advance):
            m.d.sync += self.o.valid.eq(valid)
        return m

    def _multiplier_rom(self, m, advance):
        config = self._config
        words = config.multiplier_words
        m.submodules.multipliers = rom = memory.Memory(
            shape=ArrayLayout(unsigned(config.multiplier_bits), config.lanes),
            depth=len(words),
            init=words,
        )
        port = rom.read_port()
        beat = Signal(range(len(words)))
        m.d.comb += [port.en.eq(advance), port.addr.eq(beat)]
        with m.If(self.i.valid & advance):
            m.d.sync += beat.eq(Mux(beat == len(words) - 1, 0, beat + 1))
        return port.data
