"""Pairs times the multipliers of their rows."""

from dataclasses import replace

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from fxsim.arithmetic.formats import IntFormat
from fxsim.arithmetic.tensors import IntArray
from fxsim.errors import ConfigError
from fxsim.hw.blocks.layouts import shape_of
from fxsim.hw.skip.pairs import ZeroSkipConfig


class PairScaler(wiring.Component):
    """Multiply the value of each pair by a constant of its index.

    Rows of a transposed product whose weights have scales of their own are summed over, so the
    scales must be applied before. One multiplier for each of the ``issue`` pairs does it for all
    outputs; the products after it are wider in return.

    Parameters
    ----------
    config : ZeroSkipConfig
        Of the pairs that come in.
    multipliers : int64 array, shape (items,)
        0 or more.

    Attributes
    ----------
    scaled : ZeroSkipConfig
        Of the pairs that go out.

    Members
    -------
    i : In(stream of groups, see `ZeroSkipConfig.group`)
    o : Out(stream of groups of ``scaled``)

    Latency is 2 cycles; one group a cycle.

    Raises
    ------
    ConfigError
        If the number of multipliers is wrong.
    """

    latency = 2

    def __init__(self, config: ZeroSkipConfig, *, multipliers: IntArray):
        if multipliers.shape != (config.items,):
            raise ConfigError(
                f"multipliers must have shape ({config.items},), not {multipliers.shape}"
            )
        self._config, self._multipliers = config, multipliers.tolist()
        self._bits = max(max(self._multipliers).bit_length(), 1)
        bits = config.gradient.bits + self._bits
        self.scaled = replace(config, gradient=IntFormat(bits=bits, signed=config.gradient.signed))
        super().__init__(
            {
                "i": In(stream.Signature(config.group)),
                "o": Out(stream.Signature(self.scaled.group)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.multipliers = rom = memory.Memory(
            shape=unsigned(self._bits), depth=len(self._multipliers), init=self._multipliers
        )
        advance = Signal()
        valid = Signal()
        m.d.comb += [advance.eq(~self.o.valid | self.o.ready), self.i.ready.eq(advance)]
        group = Signal(self._config.group, reset_less=True)
        with m.If(advance):
            m.d.sync += [
                valid.eq(self.i.valid),
                group.eq(self.i.payload),
                self.o.valid.eq(valid),
                self.o.payload.last.eq(group.last),
            ]
        for lane in range(self._config.issue):
            port = rom.read_port()
            m.d.comb += [port.en.eq(advance), port.addr.eq(self.i.payload.pairs[lane].index)]
            product = Signal(shape_of(self.scaled.gradient), name=f"product_{lane}")
            m.d.comb += product.eq(group.pairs[lane].value * port.data)
            with m.If(advance):
                m.d.sync += [
                    self.o.payload.pairs[lane].value.eq(product),
                    self.o.payload.pairs[lane].index.eq(group.pairs[lane].index),
                ]
        return m
