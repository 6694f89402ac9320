"""A queue of words, for a stream that waits for another one."""

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from fxsim.hw.blocks.layouts import layout_of
from fxsim.plan.buffers import QueueConfig


class Queue(wiring.Component):
    """Words in order, each given out once.

    Parameters
    ----------
    config : QueueConfig
        Of its ``depth`` words one is in the register that they leave by, the others are in a memory
        that can be block RAM.

    Members
    -------
    i : In(stream)
        Ready while the memory is not full.
    o : Out(stream)

    Latency is 2 cycles; one word a cycle.
    """

    latency = 2

    def __init__(self, config: QueueConfig):
        self._config = config
        signature = stream.Signature(layout_of(config.beat))
        super().__init__({"i": In(signature), "o": Out(signature)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        m.submodules.fifo = fifo = SyncFIFOBuffered(width=config.beat.bits, depth=config.depth)
        m.d.comb += [
            fifo.w_data.eq(self.i.payload),
            fifo.w_en.eq(self.i.valid),
            self.i.ready.eq(fifo.w_rdy),
            self.o.payload.eq(fifo.r_data),
            self.o.valid.eq(fifo.r_rdy),
            fifo.r_en.eq(self.o.ready),
        ]
        return m
