"""Frames of a wrong length, told and counted."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class FrameErrors(wiring.Component):
    """A flag that stays, and a count that wraps.

    Parameters
    ----------
    ports : int
        Ports by which frames come in.

    Members
    -------
    wrong : In(ports)
        A bit for each port, high for a cycle for each frame of a wrong length.
    clear : In(1)
        Forget all that were so far.
    error : Out(1)
        High after the first of them.
    count : Out(32)

    Latency is 1 cycle to ``error`` and 2 to ``count``.
    """

    def __init__(self, ports: int):
        super().__init__({"wrong": In(ports), "clear": In(1), "error": Out(1), "count": Out(32)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        step = Signal(range(len(self.wrong) + 1))
        m.d.sync += [
            step.eq(sum(self.wrong)),
            self.error.eq(self.wrong.any() | (self.error & ~self.clear)),
            self.count.eq(Mux(self.clear, 0, self.count + step)),
        ]
        return m
