"""Random words for stochastic rounding: functions of the position that run ahead of the data."""

from collections.abc import Callable
from itertools import count

from amaranth.hdl import Module, Signal, Value, ValueLike
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from fxsim.arithmetic.stochastic import WORD_BITS
from fxsim.hw.backward.steps import STEP_BITS, StepCounter
from fxsim.hw.blocks.pipeline import Pipeline


class RandomWords(wiring.Component):
    """The words of `fxsim.arithmetic.stochastic` in the order in which a backward pass needs them.

    Word ``k`` of stream ``s`` in step ``t`` of sequence ``n`` is
    ``mix(mix(mix(mix(seed) + n) + 8 * t + s) + k)``, sums modulo 2**32. No word depends on data, so
    the pipeline fills by itself after reset and is a beat ahead from then on.

    Parameters
    ----------
    streams : tuple of int
        Numbers of the cuts, 0 to 7.
    items : int
        Values of each cut in a step.
    lanes : int
        Values of a beat.

    Members
    -------
    seed : In(32), steps : In(unsigned)
        Must hold still from reset on.
    o : Out(stream of ``lanes`` words for each stream)
        Once valid, valid for good.

    Latency is `latency` cycles from reset to the first beat; then one beat a cycle.
    """

    latency = 4 * 3

    def __init__(self, *, streams: tuple[int, ...], items: int, lanes: int):
        self._streams, self._lanes = streams, lanes
        self._beats = -(-items // lanes)
        beat = ArrayLayout(ArrayLayout(WORD_BITS, lanes), len(streams))
        super().__init__(
            {"seed": In(WORD_BITS), "steps": In(STEP_BITS), "o": Out(stream.Signature(beat))}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.place = place = StepCounter(beats=self._beats)
        advance = Signal()
        names = count()
        pipeline = Pipeline(m, self.o, advance)
        m.d.comb += [place.en.eq(advance), place.steps.eq(self.steps)]

        def register(value: ValueLike) -> Signal:
            return pipeline.register(value, f"stage_{next(names)}")

        def delayed(value: Value, cycles: int) -> Value:
            for _ in range(cycles):
                value = register(value)
            return value

        batch = _mix(self.seed, register)
        sequence = _mix(batch + delayed(place.sequence, 3), register)
        step, beat = delayed(place.step, 6), delayed(place.beat, 9)
        for number, words in zip(self._streams, self.o.payload, strict=True):
            key = _mix(sequence + 8 * step + number, register)
            for lane, word in enumerate(words):
                m.d.comb += word.eq(_mix(key + beat * self._lanes + lane, register))

        pipeline.end(*pipeline.stages(self.latency - 1, 1)[-1])
        return m


def _mix(word: Value, register: Callable[[Value], Value]) -> Value:
    """`fxsim.arithmetic.stochastic.mix` of the low 32 bits of ``word``, in three stages."""

    def low(value: Value) -> Value:
        return value[:WORD_BITS]

    word = low(word)
    word = low(word + 0x7ED55D16 + (word << 12))
    word = register(word ^ 0xC761C23C ^ word >> 19)
    word = low(word + 0x165667B1 + (word << 5))
    word = register(low(word + 0xD3A2646C) ^ low(word << 9))
    word = low(word + 0xFD7046C5 + (word << 3))
    return register(word ^ 0xB55A4F09 ^ word >> 16)
