"""Base of all dot products: ports, checks, and the registers of their pipelines."""

from amaranth.hdl import Const, Module, Shape, Signal
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import Component, In, Out

from fxsim.arithmetic.codes import WeightCode
from fxsim.errors import ConfigError
from fxsim.hw.blocks.arith import Bounded, bounds_of, shape_spanning
from fxsim.hw.blocks.layouts import stored_shape


class Dot(Component):
    """Sum of ``simd`` products of an activation and a weight: a row before its accumulator.

    Parameters
    ----------
    simd : int
        Number of lanes, 1 or more.
    activation : Shape
        Shape of an activation, 1 bit or more.
    code : WeightCode

    Members
    -------
    en : In(1)
        Clock enable of the whole pipeline; all registers hold when it is low.
    activation : In(ArrayLayout(activation, simd))
    weight : In(ArrayLayout(`stored_shape` of the code, simd))
    sum : Out(signed(m))
        Smallest ``m`` that holds every possible sum.

    Latency: `latency` cycles with ``en`` high. Throughput: one dot product per enabled cycle.

    Raises
    ------
    ConfigError
        If ``simd`` or the width of ``activation`` is less than 1.
    """

    latency: int
    """Cycles with ``en`` high from the inputs to ``sum``."""

    def __init__(self, *, simd: int, activation: Shape, code: WeightCode):
        activation = Shape.cast(activation)
        if simd < 1:
            raise ConfigError(f"simd must be at least 1, not {simd}")
        if activation.width < 1:
            raise ConfigError(f"activation must be at least 1 bit wide, not {activation!r}")
        product = Bounded(Const(0), *bounds_of(activation)) * weight_bounds(code)
        self.simd = simd
        self.code = code
        super().__init__(
            {
                "en": In(1),
                "activation": In(ArrayLayout(activation, simd)),
                "weight": In(ArrayLayout(stored_shape(code), simd)),
                "sum": Out(shape_spanning(simd * product.low, simd * product.high)),
            }
        )


def weight_bounds(code: WeightCode) -> Bounded:
    """Bounds of the weights that a cell can see: a multiplier takes every word."""
    if code.multiplies:
        return Bounded(Const(0), *bounds_of(stored_shape(code)))
    return Bounded(Const(0), code.format.min, code.format.max)


def register(m: Module, term: Bounded, name: str) -> Bounded:
    """``term`` a cycle later."""
    later = Signal(term.shape, name=name, reset_less=True)
    m.d.sync += later.eq(term.value)
    return Bounded(later, term.low, term.high)
