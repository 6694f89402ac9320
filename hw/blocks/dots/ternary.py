"""Dot products with weights -1, 0 and +1."""

from amaranth.hdl import Module, Mux, Shape, Value

from fxsim.arithmetic.codes import TernaryCode
from fxsim.hw.blocks.arith import Bounded
from fxsim.hw.blocks.dots.signed import SignedDot


class TernaryDot(SignedDot):
    """Sum of ``simd`` activations, each added, subtracted or left out.

    The word 2 (-2 in two's complement) counts as 0. Latency is 1 + ceil(log2(simd)); parameters,
    members and errors are those of `fxsim.hw.blocks.dots.base.Dot`.
    """

    def __init__(self, *, simd: int, activation: Shape):
        super().__init__(simd=simd, activation=activation, code=TernaryCode())

    def scaled(self, _m: Module, term: Bounded, weight: Value) -> Bounded:
        """``term``, or 0."""
        return Bounded(Mux(weight[0], term.value, 0), min(term.low, 0), term.high)
