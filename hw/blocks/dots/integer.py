"""Dot products with integer weights, in DSP blocks or in LUTs."""

from amaranth.hdl import Const, EnableInserter, Module, Shape
from amaranth.utils import ceil_log2

from fxsim.arithmetic.codes import IntegerCode
from fxsim.errors import ConfigError
from fxsim.hw.blocks.arith import Bounded, add_booth_digit
from fxsim.hw.blocks.dots.base import Dot, register


class IntDot(Dot):
    """Sum of ``simd`` products of an activation and a signed weight.

    Parameters
    ----------
    simd : int
        Number of lanes, 1 or more.
    activation : Shape
        Shape of an activation, 1 bit or more.
    code : IntegerCode
        Signed, of 2 to 16 bits.
    dsp : bool
        True: products are written as such, and synthesis gives each its own DSP block. False:
        products are sums of radix-4 digits, which take less than half the LUTs that synthesis needs
        for a product without a DSP block.

    Latency is ceil(log2(simd)), plus 2 with ``dsp`` and ceil(code.bits / 2) without; members and
    throughput are those of `fxsim.hw.blocks.dots.base.Dot`.

    Raises
    ------
    ConfigError
        If a parameter is out of the range given above.
    """

    def __init__(self, *, simd: int, activation: Shape, code: IntegerCode, dsp: bool = True):
        if not code.range.signed or not 2 <= code.bits <= 16:
            raise ConfigError(f"weight must be int2 to int16, not {code}")
        super().__init__(simd=simd, activation=activation, code=code)
        self.dsp = dsp
        self.latency: int = ceil_log2(simd) + (2 if dsp else (code.bits + 1) // 2)

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
                register(m, term, f"term{level}_{k}") for k, term in enumerate(sums + unpaired)
            ]
            level += 1
        m.d.comb += self.sum.eq(terms[0].value)
        return EnableInserter(self.en)(m)

    @staticmethod
    def _multiply(m: Module, lane: int, activation: Bounded, weight: Bounded) -> Bounded:
        # The two registers are those inside a DSP block, after its multiplier and at its output.
        # With only one, Yosys would take the first adders of the tree into the DSP blocks as well.
        product = register(m, activation * weight, f"multiplied{lane}")
        return register(m, product, f"product{lane}")

    @staticmethod
    def _multiply_booth(m: Module, lane: int, activation: Bounded, weight: Bounded) -> Bounded:
        total = Bounded(Const(0), 0, 0)
        for position in range(0, len(weight.value), 2):
            total = add_booth_digit(total, activation, weight.value, position)
            total = register(m, total, f"product{lane}_{position}")
            activation = register(m, activation, f"activation{lane}_{position}")
            weight = register(m, weight, f"weight{lane}_{position}")
        return total
