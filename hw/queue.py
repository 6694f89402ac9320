"""A queue of words, for a stream that waits for another one."""

from amaranth.hdl import Module, ShapeLike
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from fxsim.errors import ConfigError


class Queue(wiring.Component):
    """Words in order, each given out once.

    Parameters
    ----------
    payload : shape-like
    depth : int
        Words that it holds, 2 or more: one in the register that they leave by, the others in a
        memory that can be block RAM.

    Members
    -------
    i : In(stream)
        Ready while the memory is not full.
    o : Out(stream)

    Latency is 2 cycles; one word a cycle.

    Raises
    ------
    ConfigError
        If ``depth`` is less than 2.
    """

    latency = 2

    def __init__(self, payload: ShapeLike, *, depth: int):
        if depth < 2:
            raise ConfigError(f"depth must be at least 2, not {depth}")
        self._depth = depth
        signature = stream.Signature(payload)
        super().__init__({"i": In(signature), "o": Out(signature)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width = len(self.i.payload.as_value())
        m.submodules.fifo = fifo = SyncFIFOBuffered(width=width, depth=self._depth)
        m.d.comb += [
            fifo.w_data.eq(self.i.payload),
            fifo.w_en.eq(self.i.valid),
            self.i.ready.eq(fifo.w_rdy),
            self.o.payload.eq(fifo.r_data),
            self.o.valid.eq(fifo.r_rdy),
            fifo.r_en.eq(self.o.ready),
        ]
        return m
