"""Dot products with weights -1 and +1."""

from amaranth.hdl import Module, Shape, Value

from fxsim.arithmetic.codes import BinaryCode
from fxsim.hw.blocks.arith import Bounded
from fxsim.hw.blocks.dots.signed import SignedDot


class BinaryDot(SignedDot):
    """Sum of ``simd`` activations, each added or subtracted.

    Latency is 1 + ceil(log2(simd)); parameters, members and errors are those of
    `fxsim.hw.blocks.dots.base.Dot`.
    """

    def __init__(self, *, simd: int, activation: Shape):
        super().__init__(simd=simd, activation=activation, code=BinaryCode())

    def scaled(self, _m: Module, term: Bounded, _weight: Value) -> Bounded:
        """``term`` itself."""
        return term
