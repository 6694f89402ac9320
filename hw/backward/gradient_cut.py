"""Sums of products -> gradients: multiply, round as the contract says, saturate."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fxsim.arithmetic.formats import IntFormat, Rounding
from fxsim.arithmetic.stochastic import WORD_BITS, Stochastic
from fxsim.hw.backward.random_words import RandomWords
from fxsim.hw.backward.steps import STEP_BITS
from fxsim.hw.blocks.arith import saturate, shift_round, shift_round_random
from fxsim.hw.blocks.layouts import beat_of
from fxsim.hw.blocks.pipeline import Pipeline


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
        advance = Signal()
        accept = Signal()
        present = 1
        pipeline = Pipeline(m, self.o, advance)
        valid = [valid for (valid,) in pipeline.stages(self.latency - 1, accept)]
        pipeline.end(valid[-1])

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
            self.i.ready.eq(advance & present),
            accept.eq(self.i.valid & self.i.ready),
        ]

        fmt = self._output
        for lane in range(self._lanes):
            value = self.i.payload[lane]
            if self._multiplier != 1:
                value = pipeline.register(value * self._multiplier, f"product_{lane}")
            if isinstance(self._rounding, Stochastic):
                word = words.o.payload[0][lane]
                value = shift_round_random(value, self._shift, word)
            else:
                value = shift_round(value, self._shift, self._rounding)
            value = saturate(pipeline.register(value, f"rounded_{lane}"), fmt.min, fmt.max)
            m.d.comb += self.o.payload[lane].eq(pipeline.register(value, f"gradient_{lane}"))
        return m
