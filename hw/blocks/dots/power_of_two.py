"""Dot products with weights 0 and signed powers of two."""

from amaranth.hdl import Module, Shape, Signal, Value

from fxsim.arithmetic.codes import PowerOfTwoCode
from fxsim.hw.blocks.arith import Bounded, shape_spanning
from fxsim.hw.blocks.dots.signed import SignedDot


class PowerOfTwoDot(SignedDot):
    """Sum of ``simd`` activations, each shifted and added or subtracted, or left out.

    Numbers of magnitudes that the code does not have count as 0. Latency is 1 + ceil(log2(simd));
    parameters, members and errors are those of `fxsim.hw.blocks.dots.base.Dot`.
    """

    def __init__(self, *, simd: int, activation: Shape, code: PowerOfTwoCode):
        super().__init__(simd=simd, activation=activation, code=code)
        self.exponents = code.exponents

    def scaled(self, m: Module, term: Bounded, weight: Value) -> Bounded:
        """``term`` shifted by the exponent, or 0."""
        most = int(self.code.magnitudes[-1])
        low, high = min(most * term.low, 0), most * term.high
        shifted = Signal(shape_spanning(low, high))
        with m.Switch(weight[:-1]):
            for number in range(1, self.exponents + 1):
                with m.Case(number):
                    m.d.comb += shifted.eq(term.value << (number - 1))
            with m.Default():
                m.d.comb += shifted.eq(0)
        return Bounded(shifted, low, high)
