"""The sum of streams with scales of their own, as where a shortcut ends."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fxsim.hw.blocks.layouts import layout_of, shape_of
from fxsim.plan.elementwise import WeightedSumConfig


class WeightedSum(wiring.Component):
    """Sums of operands, each times a constant of its own, plus one for the zero points.

    Parameters
    ----------
    config : WeightedSumConfig

    Members
    -------
    i0, i1, ... : In(stream of ``lanes`` activations)
        A beat of each operand is taken together.
    o : Out(stream of ``lanes`` accumulators)

    Latency is 2 cycles: products, sums. One beat a cycle.
    """

    latency = 2

    def __init__(self, config: WeightedSumConfig):
        self._config = config
        operands = {
            f"i{k}": In(stream.Signature(layout_of(beat))) for k, beat in enumerate(config.operands)
        }
        super().__init__(operands | {"o": Out(stream.Signature(layout_of(config.o)))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        operands = [getattr(self, f"i{k}") for k in range(len(config.operands))]
        advance = Signal()
        every = Signal()
        valid = Signal()
        m.d.comb += [
            advance.eq(~self.o.valid | self.o.ready),
            every.eq(Cat(operand.valid for operand in operands).all()),
        ]
        for operand in operands:
            others = Cat(other.valid for other in operands if other is not operand)
            m.d.comb += operand.ready.eq(advance & others.all())
        with m.If(advance):
            m.d.sync += [valid.eq(every), self.o.valid.eq(valid)]
        for lane in range(config.lanes):
            products = []
            for k, (operand, multiplier) in enumerate(
                zip(operands, config.multipliers, strict=True)
            ):
                value = operand.payload[lane] * multiplier
                product = Signal(value.shape(), name=f"product{k}_{lane}", reset_less=True)
                with m.If(advance):
                    m.d.sync += product.eq(value)
                products.append(product)
            total = Signal(shape_of(config.accumulator), name=f"sum_{lane}", reset_less=True)
            with m.If(advance):
                m.d.sync += total.eq(sum(products, config.bias))
            m.d.comb += self.o.payload[lane].eq(total)
        return m
