"""One stream to two sinks."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fxsim.formats import IntFormat
from hw.layouts import beat_of


class Fork(wiring.Component):
    """Give every beat to two sinks, each of which takes it when it likes.

    Parameters
    ----------
    fmt : IntFormat
        Format of a lane.
    lanes : int
        Lanes of a beat.

    Members
    -------
    i : In(stream of beats)
        Taken when both sinks have taken it.
    a, b : Out(stream of beats)

    Latency is 0; one beat a cycle.
    """

    def __init__(self, *, fmt: IntFormat, lanes: int):
        payload = beat_of(fmt, lanes)
        super().__init__(
            {
                "i": In(stream.Signature(payload)),
                "a": Out(stream.Signature(payload)),
                "b": Out(stream.Signature(payload)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        done = {}
        for name, sink in (("a", self.a), ("b", self.b)):
            served = Signal(name=f"served_{name}")
            done[name] = served | sink.ready
            m.d.comb += [sink.payload.eq(self.i.payload), sink.valid.eq(self.i.valid & ~served)]
            with m.If(self.i.valid):
                m.d.sync += served.eq(done[name] & ~self.i.ready)
        m.d.comb += self.i.ready.eq(done["a"] & done["b"])
        return m
