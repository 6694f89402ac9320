"""The sum of two streams with scales of their own, for residual connections."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fxsim.hw.blocks.layouts import layout_of, shape_of
from fxsim.plan.elementwise import WeightedSumConfig


class WeightedSum(wiring.Component):
    """Sums of two operands, each times a constant of its own, plus one for the zero points.

    Parameters
    ----------
    config : WeightedSumConfig

    Members
    -------
    i, other : In(stream of ``lanes`` activations)
        Taken together.
    o : Out(stream of ``lanes`` accumulators)

    Latency is 2 cycles: products, sums. One beat a cycle.
    """

    latency = 2

    def __init__(self, config: WeightedSumConfig):
        self._config = config
        super().__init__(
            {
                "i": In(stream.Signature(layout_of(config.i))),
                "other": In(stream.Signature(layout_of(config.other))),
                "o": Out(stream.Signature(layout_of(config.o))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        first, second = config.multipliers
        advance, both, valid = Signal(), Signal(), Signal()
        m.d.comb += [
            advance.eq(~self.o.valid | self.o.ready),
            both.eq(self.i.valid & self.other.valid),
            self.i.ready.eq(advance & self.other.valid),
            self.other.ready.eq(advance & self.i.valid),
        ]
        with m.If(advance):
            m.d.sync += [valid.eq(both), self.o.valid.eq(valid)]
        for lane in range(config.lanes):
            products = []
            for name, value in (
                ("first", self.i.payload[lane] * first),
                ("second", self.other.payload[lane] * second),
            ):
                product = Signal(value.shape(), name=f"{name}_{lane}", reset_less=True)
                with m.If(advance):
                    m.d.sync += product.eq(value)
                products.append(product)
            total = Signal(shape_of(config.accumulator), name=f"sum_{lane}", reset_less=True)
            with m.If(advance):
                m.d.sync += total.eq(sum(products, config.bias))
            m.d.comb += self.o.payload[lane].eq(total)
        return m
