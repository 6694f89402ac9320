"""Pipelined dot products: the part of a multiply-accumulate row before its accumulator."""

from amaranth.hdl import Const, EnableInserter, Module, Mux, Shape, Signal, Value, signed
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import Component, In, Out
from amaranth.utils import ceil_log2

from fxsim.errors import ConfigError
from fxsim.hw.blocks.arith import Bounded, add_booth_digit, bounds_of, shape_spanning


class _Dot(Component):
    """What all dot products share: ports, checks, and the registers of the pipeline."""

    def __init__(self, *, simd: int, activation: Shape, weight: Shape, weights: tuple[int, int]):
        if simd < 1:
            raise ConfigError(f"simd must be at least 1, not {simd}")
        if activation.width < 1:
            raise ConfigError(f"activation must be at least 1 bit wide, not {activation!r}")
        product = Bounded(Const(0), *bounds_of(activation)) * Bounded(Const(0), *weights)
        self.simd = simd
        super().__init__(
            {
                "en": In(1),
                "activation": In(ArrayLayout(activation, simd)),
                "weight": In(ArrayLayout(weight, simd)),
                "sum": Out(shape_spanning(simd * product.low, simd * product.high)),
            }
        )


def _register(m: Module, term: Bounded, name: str) -> Bounded:
    register = Signal(term.shape, name=name, reset_less=True)
    m.d.sync += register.eq(term.value)
    return Bounded(register, term.low, term.high)


class TernaryDot(_Dot):
    """Sum of ``simd`` activations, each times -1, 0 or +1, without a multiplier.

    Parameters
    ----------
    simd : int
        Number of lanes, 1 or more.
    activation : Shape
        Shape of an activation, 1 bit or more.

    Attributes
    ----------
    latency : int
        Cycles with ``en`` high from the inputs to ``sum``: 1 + ceil(log2(simd)).

    Members
    -------
    en : In(1)
        Clock enable of the whole pipeline; all registers hold when it is low.
    activation : In(ArrayLayout(activation, simd))
    weight : In(ArrayLayout(signed(2), simd))
        -1, 0 or +1. The fourth code, -2, counts as 0.
    sum : Out(signed(m))
        Smallest ``m`` that holds every possible sum.

    Throughput: one dot product per enabled cycle.

    Raises
    ------
    ConfigError
        If ``simd`` or the width of ``activation`` is less than 1.
    """

    def __init__(self, *, simd: int, activation: Shape):
        super().__init__(
            simd=simd, activation=Shape.cast(activation), weight=signed(2), weights=(-1, 1)
        )
        self.latency: int = 1 + ceil_log2(simd)

    def elaborate(self, _platform: object) -> Module:
        m = Module()

        # No sum is negated: each has the sign of its leftmost lane travelling beside it, and is
        # left + right or left - right, which costs one LUT per bit. Only lane 0 is negated for
        # good, so that the last sum is the true one.
        weights = [self.weight[k] for k in range(self.simd)]
        terms = [Bounded.whole(self.activation[k]) for k in range(self.simd)]
        terms[0] = Bounded(Const(0), 0, 0).add_sub(terms[0], weights[0][1])
        terms = [
            Bounded(Mux(weight[0], term.value, 0), min(term.low, 0), term.high)
            for term, weight in zip(terms, weights, strict=True)
        ]
        signs = [Const(0, 1), *(weight[1] for weight in weights[1:])]

        terms, signs = self._advance(m, 0, terms, signs)
        for level in range(1, self.latency):
            sums = [
                left.add_sub(right, subtract)
                for left, right, subtract in zip(terms[::2], terms[1::2], signs[1::2], strict=False)
            ]
            unpaired = terms[2 * len(sums) :]
            terms, signs = self._advance(m, level, sums + unpaired, signs[::2])
        m.d.comb += self.sum.eq(terms[0].value)
        return EnableInserter(self.en)(m)

    @staticmethod
    def _advance(
        m: Module, level: int, terms: list[Bounded], signs: list[Value]
    ) -> tuple[list[Bounded], list[Value]]:
        """Register terms and signs; the sign of a right one becomes relative to its left one."""
        terms = [_register(m, term, f"term{level}_{k}") for k, term in enumerate(terms)]
        registers = []
        for k, sign in enumerate(signs):
            register = Signal(name=f"sign{level}_{k}", reset_less=True)
            m.d.sync += register.eq(sign ^ signs[k - 1] if k % 2 else sign)
            registers.append(register)
        return terms, registers


class IntDot(_Dot):
    """Sum of ``simd`` products of an activation and a signed weight.

    Parameters
    ----------
    simd : int
        Number of lanes, 1 or more.
    activation : Shape
        Shape of an activation, 1 bit or more.
    weight : Shape
        Shape of a weight, ``signed(2)`` to ``signed(16)``.
    dsp : bool
        True: products are written as such, and synthesis gives each its own DSP block. False:
        products are sums of radix-4 digits, which take less than half the LUTs that synthesis needs
        for a product without a DSP block.

    Attributes
    ----------
    latency : int
        Cycles with ``en`` high from the inputs to ``sum``: ceil(log2(simd)), plus 2 with ``dsp``
        and ceil(weight.width / 2) without.

    Members
    -------
    en : In(1)
        Clock enable of the whole pipeline; all registers hold when it is low.
    activation : In(ArrayLayout(activation, simd))
    weight : In(ArrayLayout(weight, simd))
    sum : Out(signed(m))
        Smallest ``m`` that holds every possible sum.

    Throughput: one dot product per enabled cycle.

    Raises
    ------
    ConfigError
        If a parameter is out of the range given above.
    """

    def __init__(self, *, simd: int, activation: Shape, weight: Shape, dsp: bool = True):
        weight = Shape.cast(weight)
        if not weight.signed or not 2 <= weight.width <= 16:
            raise ConfigError(f"weight must be signed(2) to signed(16), not {weight!r}")
        super().__init__(
            simd=simd,
            activation=Shape.cast(activation),
            weight=weight,
            weights=bounds_of(weight),
        )
        self.dsp = dsp
        self.latency: int = ceil_log2(simd) + (2 if dsp else (weight.width + 1) // 2)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        multiply = self._multiply if self.dsp else self._multiply_booth
        terms = [
            multiply(m, k, Bounded.whole(self.activation[k]), Bounded.whole(self.weight[k]))
            for k in range(self.simd)
        ]
        level = 0
        while len(terms) > 1:
            sums = [left + right for left, right in zip(terms[::2], terms[1::2], strict=False)]
            unpaired = terms[2 * len(sums) :]
            terms = [
                _register(m, term, f"term{level}_{k}") for k, term in enumerate(sums + unpaired)
            ]
            level += 1
        m.d.comb += self.sum.eq(terms[0].value)
        return EnableInserter(self.en)(m)

    @staticmethod
    def _multiply(m: Module, lane: int, activation: Bounded, weight: Bounded) -> Bounded:
        # The two registers are those inside a DSP block, after its multiplier and at its output.
        # With only one, Yosys would take the first adders of the tree into the DSP blocks as well.
        product = _register(m, activation * weight, f"multiplied{lane}")
        return _register(m, product, f"product{lane}")

    @staticmethod
    def _multiply_booth(m: Module, lane: int, activation: Bounded, weight: Bounded) -> Bounded:
        total = Bounded(Const(0), 0, 0)
        for position in range(0, len(weight.value), 2):
            total = add_booth_digit(total, activation, weight.value, position)
            total = _register(m, total, f"product{lane}_{position}")
            activation = _register(m, activation, f"activation{lane}_{position}")
            weight = _register(m, weight, f"weight{lane}_{position}")
        return total


def dot(
    *, weight: Shape, activation: Shape, simd: int, ternary: bool, dsp: bool = True
) -> TernaryDot | IntDot:
    """Dot product for a weight format.

    Parameters
    ----------
    weight : Shape
    activation : Shape
    simd : int
    ternary : bool
        Whether every weight is -1, 0 or +1; ``weight`` is then ``signed(2)``.
    dsp : bool
        See `IntDot`; ternary dot products never use DSP blocks.

    Raises
    ------
    ConfigError
        If ``ternary`` is asked of another shape than ``signed(2)``, or a parameter is out of range.
    """
    if not ternary:
        return IntDot(simd=simd, activation=activation, weight=weight, dsp=dsp)
    if Shape.cast(weight) != signed(2):
        raise ConfigError(f"weight must be signed(2) when ternary, not {weight!r}")
    return TernaryDot(simd=simd, activation=activation)
