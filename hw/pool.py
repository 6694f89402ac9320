"""Max pooling: windows of a few channels at a time, and the greatest of each."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fxsim.formats import IntFormat
from fxsim.hw.arith import is_zero
from fxsim.hw.chain import Chain
from fxsim.hw.layouts import beat_of
from fxsim.hw.window import Window
from fxsim.network import MaxPool


class Greatest(wiring.Component):
    """Greatest integer of each lane over ``beats`` beats.

    Parameters
    ----------
    fmt : IntFormat
        Format of a lane.
    lanes : int
        Lanes of a beat.
    beats : int
        Beats that make one output.

    Members
    -------
    i : In(stream of beats)
    o : Out(stream of beats)

    Latency is 1 cycle from the last beat; one beat a cycle.
    """

    latency = 1

    def __init__(self, *, fmt: IntFormat, lanes: int, beats: int):
        self._beats = beats
        super().__init__(
            {
                "i": In(stream.Signature(beat_of(fmt, lanes))),
                "o": Out(stream.Signature(beat_of(fmt, lanes))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        beat, last, accept = Signal(range(self._beats)), Signal(), Signal()
        m.d.comb += [
            self.i.ready.eq(~self.o.valid | self.o.ready),
            accept.eq(self.i.valid & self.i.ready),
            last.eq(beat == self._beats - 1),
        ]
        best = Signal.like(self.o.payload, reset_less=True)
        m.d.comb += self.o.payload.eq(best)
        with m.If(self.i.ready):
            m.d.sync += self.o.valid.eq(self.i.valid & last)
        with m.If(accept):
            m.d.sync += beat.eq(Mux(last, 0, beat + 1))
            for lane in range(self.i.payload.shape().length):
                new, old = self.i.payload[lane], best[lane]
                m.d.sync += old.eq(Mux(is_zero(beat) | (new > old), new, old))
        return m


class Pool(Chain):
    """A `fxsim.network.MaxPool` as a stream block.

    Parameters
    ----------
    layer : MaxPool
    lanes_in : int
        Lanes of the input stream; they divide the channels, as the layer's own do.

    Members
    -------
    i : In(stream of ``lanes_in`` lanes)
        Pixels.
    o : Out(stream of ``layer.lanes_out`` lanes)
        Pixels.

    Each output beat takes as many cycles as a window has pixels.
    """

    layer: MaxPool

    def blocks(self):
        """Name and block, in the order of the data."""
        layer, fmt = self.layer, self.layer.input.format
        yield from self.resized_input(layer.windows.channels)
        windows = layer.by_lanes
        yield "window", Window(windows=windows, fmt=fmt, simd=layer.lanes, outside=fmt.min)
        beats = windows.size // layer.lanes
        yield "greatest", Greatest(fmt=fmt, lanes=layer.lanes, beats=beats)
