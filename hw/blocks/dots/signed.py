"""Dot products without a multiplier: weights are signs of activations, left out or shifted."""

from abc import abstractmethod
from itertools import starmap

from amaranth.hdl import Const, EnableInserter, Module, Shape, Signal, Value
from amaranth.utils import ceil_log2

from fxsim.arithmetic.codes import WeightCode
from fxsim.hw.blocks.arith import Bounded
from fxsim.hw.blocks.dots.base import Dot, register


class SignedDot(Dot):
    """Tree of additions and subtractions; subclasses say what a weight does besides its sign.

    The latency is 1 + ceil(log2(simd)). Parameters, members and errors are those of `Dot`.
    """

    def __init__(self, *, simd: int, activation: Shape, code: WeightCode):
        super().__init__(simd=simd, activation=activation, code=code)
        self.latency: int = 1 + ceil_log2(simd)

    @abstractmethod
    def scaled(self, m: Module, term: Bounded, weight: Value) -> Bounded:
        """``term`` times the magnitude of a stored weight."""

    def elaborate(self, _platform: object) -> Module:
        m = Module()

        # No sum is negated: each has the sign of its leftmost lane travelling with it, and is
        # left + right or left - right, which costs one LUT per bit. Only lane 0 is negated for
        # good, so that the last sum is the true one.
        weights = [Value.cast(self.weight[k]) for k in range(self.simd)]
        terms = [Bounded.whole(self.activation[k]) for k in range(self.simd)]
        terms[0] = Bounded(Const(0), 0, 0).add_sub(terms[0], weights[0][-1])
        terms = list(starmap(lambda *lane: self.scaled(m, *lane), zip(terms, weights, strict=True)))
        signs = [Const(0, 1), *(weight[-1] for weight in weights[1:])]

        terms, signs = _advance(m, 0, terms, signs)
        for level in range(1, self.latency):
            sums = [
                left.add_sub(right, subtract)
                for left, right, subtract in zip(terms[::2], terms[1::2], signs[1::2], strict=False)
            ]
            unpaired = terms[2 * len(sums) :]
            terms, signs = _advance(m, level, sums + unpaired, signs[::2])
        m.d.comb += self.sum.eq(terms[0].value)
        return EnableInserter(self.en)(m)


def _advance(
    m: Module, level: int, terms: list[Bounded], signs: list[Value]
) -> tuple[list[Bounded], list[Value]]:
    """Register terms and signs; the sign of a right one becomes relative to its left one."""
    terms = [register(m, term, f"term{level}_{k}") for k, term in enumerate(terms)]
    registers = []
    for k, sign in enumerate(signs):
        later = Signal(name=f"sign{level}_{k}", reset_less=True)
        m.d.sync += later.eq(sign ^ signs[k - 1] if k % 2 else sign)
        registers.append(later)
    return terms, registers
