"""Where a stream of beats is in time: sequences, each from its last step to its first."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fxsim.hw.blocks.arith import is_zero

STEP_BITS = 16
"""Width of a number of steps."""

SEQUENCE_BITS = 32
"""Width of the number of a sequence, as stochastic rounding takes it."""


class StepCounter(wiring.Component):
    """Count beats, steps and sequences of a backward pass.

    Parameters
    ----------
    beats : int
        Beats of a step.

    Members
    -------
    en : In(1)
        Whether a beat passes in this cycle.
    steps : In(unsigned)
        Steps of a sequence, at least 1; must hold still from reset on.
    beat, step, sequence : Out(unsigned)
        Of the beat that passes or comes next; ``step`` runs from steps - 1 down to 0.
    fresh, final : Out(1)
        Whether the step is the first to be worked on, and the last: steps - 1, and 0.
    ends : Out(1)
        Whether the beat is the last one of its step.
    """

    def __init__(self, *, beats: int):
        self._beats = beats
        super().__init__(
            {
                "en": In(1),
                "steps": In(STEP_BITS),
                "beat": Out(range(max(beats, 2))),
                "step": Out(STEP_BITS),
                "sequence": Out(SEQUENCE_BITS),
                "fresh": Out(1),
                "final": Out(1),
                "ends": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        done = Signal(STEP_BITS)  # steps of the sequence; counts up, so that reset needs no load
        m.d.comb += [
            self.step.eq(self.steps - 1 - done),
            self.fresh.eq(is_zero(done)),
            self.final.eq(is_zero(self.step)),
            self.ends.eq(self.beat == self._beats - 1),
        ]
        with m.If(self.en):
            m.d.sync += self.beat.eq(Mux(self.ends, 0, self.beat + 1))
            with m.If(self.ends):
                m.d.sync += [
                    done.eq(Mux(self.final, 0, done + 1)),
                    self.sequence.eq(self.sequence + self.final),
                ]
        return m
