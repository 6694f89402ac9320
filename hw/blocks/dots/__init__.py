"""Pipelined dot products, one file for each weight code; `dot` chooses."""

from amaranth.hdl import Shape

from fxsim.arithmetic.codes import AnyCode, BinaryCode, IntegerCode, PowerOfTwoCode, TernaryCode
from fxsim.hw.blocks.dots.base import Dot
from fxsim.hw.blocks.dots.binary import BinaryDot
from fxsim.hw.blocks.dots.integer import IntDot
from fxsim.hw.blocks.dots.power_of_two import PowerOfTwoDot
from fxsim.hw.blocks.dots.ternary import TernaryDot


def dot(*, code: AnyCode, activation: Shape, simd: int, dsp: bool = True) -> Dot:
    """Dot product for a weight code.

    Parameters
    ----------
    code : WeightCode
    activation : Shape
    simd : int
    dsp : bool
        See `IntDot`; the others have no multiplier.

    Raises
    ------
    ConfigError
        If a parameter is out of range.
    """
    match code:
        case TernaryCode():
            return TernaryDot(simd=simd, activation=activation)
        case BinaryCode():
            return BinaryDot(simd=simd, activation=activation)
        case PowerOfTwoCode():
            return PowerOfTwoDot(simd=simd, activation=activation, code=code)
        case IntegerCode():
            return IntDot(simd=simd, activation=activation, code=code, dsp=dsp)
        case _:
            raise AssertionError(code)
