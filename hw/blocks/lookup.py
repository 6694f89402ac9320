"""A nonlinearity by table: half of it in a ROM, the other half by symmetry."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from fxsim.arithmetic.formats import Rounding
from fxsim.hw.blocks.arith import shift_round
from fxsim.hw.blocks.layouts import shape_of
from fxsim.network import Nonlinearity, Table


class Lookup(wiring.Component):
    """`fxsim.arithmetic.tables.Table` as a pipelined ROM.

    Parameters
    ----------
    table : Table

    Attributes
    ----------
    latency : int
        Cycles with ``en`` high from ``i`` to ``o``: 2, or 3 with interpolation.

    Members
    -------
    en : In(1)
        Clock enable of the whole pipeline.
    i : In(shape of the table's input)
        Never the most negative value, which the narrow format excludes.
    o : Out(shape of the table's output)

    Throughput: one value per enabled cycle.
    """

    def __init__(self, table: Table):
        self._table = table
        self.latency = 3 if table.step_bits else 2
        super().__init__(
            {"en": In(1), "i": In(shape_of(table.input)), "o": Out(shape_of(table.output))}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        table = self._table
        magnitude = Signal(unsigned(table.input.bits - 1))
        m.d.comb += magnitude.eq(Mux(self.i < 0, -self.i, self.i))

        m.submodules.values = values = memory.Memory(
            shape=unsigned(table.bits), depth=len(table.values), init=table.values
        )
        low = values.read_port()
        m.d.comb += [low.en.eq(self.en), low.addr.eq(magnitude >> table.step_bits)]
        negative = Signal(reset_less=True)
        result = low.data
        with m.If(self.en):
            m.d.sync += negative.eq(self.i < 0)
        if table.step_bits:
            high = values.read_port()
            rest = Signal(unsigned(table.step_bits), reset_less=True)
            m.d.comb += [high.en.eq(self.en), high.addr.eq((magnitude >> table.step_bits) + 1)]
            rise = shift_round((high.data - low.data) * rest, table.step_bits, Rounding.TIES_POS)
            result = Signal(unsigned(table.bits), reset_less=True)
            below = Signal(reset_less=True)
            with m.If(self.en):
                m.d.sync += [
                    rest.eq(magnitude[: table.step_bits]),
                    result.eq(low.data + rise),
                    below.eq(negative),
                ]
            negative = below
        mirror = (1 << table.bits) if table.function is Nonlinearity.SIGMOID else 0
        with m.If(self.en):
            m.d.sync += self.o.eq(Mux(negative, mirror - result, result))
        return m
