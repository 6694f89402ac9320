"""One stream to several sinks."""

from amaranth.hdl import Module, ShapeLike, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


class Fork(wiring.Component):
    """Give every word to all sinks; each takes it when it likes.

    Parameters
    ----------
    payload : shape-like
    sinks : int

    Members
    -------
    i : In(stream)
        Taken when all sinks have taken it.
    o : array of Out(stream)

    Latency is 0; one word a cycle.
    """

    latency = 0

    def __init__(self, payload: ShapeLike, *, sinks: int):
        signature = stream.Signature(payload)
        super().__init__({"i": In(signature), "o": Out(signature).array(sinks)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        served = Signal(len(self.o))
        done = Signal(len(self.o))
        for k, sink in enumerate(self.o):
            m.d.comb += [
                done[k].eq(served[k] | sink.ready),
                sink.payload.eq(self.i.payload),
                sink.valid.eq(self.i.valid & ~served[k]),
            ]
        m.d.comb += self.i.ready.eq(done.all())
        with m.If(self.i.valid):
            for k in range(len(self.o)):
                m.d.sync += served[k].eq(done[k] & ~self.i.ready)
        return m
