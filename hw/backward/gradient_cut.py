"""Sums of products -> gradients: multiply, round as the contract says, saturate."""

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fxsim.arithmetic.formats import IntFormat, Rounding
from fxsim.arithmetic.stochastic import WORD_BITS, Stochastic
from fxsim.hw.backward.random_words import RandomWords
from fxsim.hw.backward.steps import STEP_BITS
from fxsim.hw.blocks.arith import saturate, shift_round, shift_round_random
from fxsim.hw.blocks.layouts import beat_of


class GradientCut(wiring.Component):
    """S(R(multiplier * sum)): what ends a transposed product, ``lanes`` values a cycle.

    A `fxsim.hw.blocks.requantizer.Requantizer` for gradients: it rounds stochastically too, and all
    values have one multiplier.

    Parameters
    ----------
    sums : IntFormat
        Of the input.
    output : IntFormat
        Of the result, which saturates.
    items : int
        Values of a vector.
    lanes : int
        Values of a beat.
    multiplier : int
    shift : int
        Bits that are dropped.
    rounding : Rounding or Stochastic
    number : int
        Of the cut, for stochastic rounding.

    Members
    -------
    i : In(stream of ``lanes`` sums)
    o : Out(stream of ``lanes`` gradients)
    steps : In(unsigned), seed : In(32)
        With stochastic rounding only; must hold still from reset on.

    Latency is `latency` cycles; one beat a cycle.
    """

    def __init__(
        self,
        *,
        sums: IntFormat,
        output: IntFormat,
        items: int,
        lanes: int,
        multiplier: int,
        shift: int,
        rounding: Rounding | Stochastic,
        number: int,
    ):
        self._output, self._items, self._lanes = output, items, lanes
        self._multiplier, self._shift = multiplier, shift
        self._rounding, self._number = rounding, number
        self._stochastic = isinstance(rounding, Stochastic)
        self.latency = 2 + (multiplier != 1)
        members = {
            "i": In(stream.Signature(beat_of(sums, lanes))),
            "o": Out(stream.Signature(beat_of(output, lanes))),
        }
        if self._stochastic:
            members |= {"steps": In(STEP_BITS), "seed": In(WORD_BITS)}
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        advance, accept, present = Signal(), Signal(), 1
        valid = [accept]
        for k in range(self.latency - 1):
            stage = Signal(name=f"valid_{k}")
            with m.If(advance):
                m.d.sync += stage.eq(valid[-1])
            valid.append(stage)
        with m.If(advance):
            m.d.sync += self.o.valid.eq(valid[-1])

        if self._stochastic:
            m.submodules.words = words = RandomWords(
                streams=(self._number,), items=self._items, lanes=self._lanes
            )
            m.d.comb += [
                words.seed.eq(self.seed),
                words.steps.eq(self.steps),
                words.o.ready.eq(advance & valid[-2]),  # in the cycle that rounds
            ]
            present = words.o.valid
        m.d.comb += [
            advance.eq(~self.o.valid | self.o.ready),
            self.i.ready.eq(advance & present),
            accept.eq(self.i.valid & self.i.ready),
        ]

        fmt = self._output
        for lane in range(self._lanes):

            def register(value: Value, name: str, lane: int = lane) -> Signal:
                signal = Signal(value.shape(), name=f"{name}_{lane}", reset_less=True)
                with m.If(advance):
                    m.d.sync += signal.eq(value)
                return signal

            value = self.i.payload[lane]
            if self._multiplier != 1:
                value = register(value * self._multiplier, "product")
            if isinstance(self._rounding, Stochastic):
                word = words.o.payload[0][lane]
                value = shift_round_random(value, self._shift, word)
            else:
                value = shift_round(value, self._shift, self._rounding)
            value = register(value, "rounded")
            m.d.comb += self.o.payload[lane].eq(
                register(saturate(value, fmt.min, fmt.max), "gradient")
            )
        return m
