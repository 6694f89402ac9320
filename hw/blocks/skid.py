"""A word of room before a block, so that ready does not lead from the next block to the last."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fxsim.hw.blocks.layouts import layout_of
from fxsim.plan.buffers import SkidConfig


class Skid(wiring.Component):
    """Skid buffer: words pass at once, but one that cannot go on is kept.

    Its ready is a register, so a block before it stalls a cycle after the one behind, and no
    enable of registers leads through both.

    Parameters
    ----------
    config : SkidConfig

    Members
    -------
    i : In(stream)
        Ready while no word is kept.
    o : Out(stream)

    Latency is 0; one word a cycle.
    """

    latency = 0

    def __init__(self, config: SkidConfig):
        signature = stream.Signature(layout_of(config.beat))
        super().__init__({"i": In(signature), "o": Out(signature)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        ready = Signal(init=1)
        kept = Signal(self.i.payload.shape(), reset_less=True)
        payload = Mux(ready, self.i.payload.as_value(), kept.as_value())
        m.d.comb += [
            self.i.ready.eq(ready),
            self.o.valid.eq(self.i.valid | ~ready),
            self.o.payload.eq(payload),
        ]
        with m.If(ready):
            m.d.sync += kept.eq(self.i.payload)
        m.d.sync += ready.eq(self.o.ready | ~self.o.valid)
        return m
