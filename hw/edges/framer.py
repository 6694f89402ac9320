"""Whole vectors from the frames of a port, also where a frame has the wrong length."""

from amaranth.hdl import Module, Mux, ShapeLike, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out


class Framer(wiring.Component):
    """Resynchronise on tlast, so that a wrong frame costs its own vectors and no others.

    A frame is a vector or, with ``sequences``, one vector or more. What lacks of a vector when a
    frame ends is filled with zeros; what follows a vector up to the end of its frame is dropped. So
    each frame becomes as many whole vectors as those behind expect, and only these are wrong.

    With ``follows`` the sequences are those of another port: a frame that ends sooner is filled
    with vectors of zeros, one that goes on is dropped from there. The first vector of a frame
    passes whether or not the other port has its own; the next one waits for that.

    Parameters
    ----------
    payload : shape-like
    beats : int
        Beats of a vector.
    sequences : bool
        True if a frame may have several vectors.
    follows : bool
        True if another port says where sequences end.

    Members
    -------
    i : In(stream of ``data`` and ``last``)
    o : Out(stream)
        Beats of whole vectors.
    ends, last : Out(1)
        With a beat of ``o``: whether it is the last of its vector, and whether the frame ends with
        that vector.
    wrong : Out(1)
        High for a cycle for each frame of a wrong length, once that is known.
    sequence : In(stream of 1 bit)
        With ``follows`` only: for each vector of the other port, whether its sequence ends there.

    Latency is 0; one beat a cycle, and one for each beat that is filled in or dropped.
    """

    latency = 0

    def __init__(
        self, payload: ShapeLike, *, beats: int, sequences: bool = False, follows: bool = False
    ):
        self._beats, self._sequences, self._follows = beats, sequences, follows
        members = {
            "i": In(stream.Signature(StructLayout({"data": payload, "last": 1}))),
            "o": Out(stream.Signature(payload)),
            "ends": Out(1),
            "last": Out(1),
            "wrong": Out(1),
        }
        if follows:
            members["sequence"] = In(stream.Signature(1))
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        fill = Signal()
        drop = Signal()
        move = Signal()
        closes = Signal()
        given = self.i.payload
        beat = Signal(range(self._beats))
        agrees, short, long = self._agree(m, closes) if self._follows else (1, 0, 0)
        # Expressions, not m.If: simulators do not run a process none of whose inputs ever changes.
        m.d.comb += [
            self.o.valid.eq(fill | (self.i.valid & ~drop & agrees)),
            self.o.payload.eq(Mux(fill, 0, Value.cast(given.data))),
            self.i.ready.eq(drop | (self.o.ready & ~fill & agrees)),
            self.ends.eq(beat == self._beats - 1),
            self.last.eq(fill | given.last),
            move.eq(self.o.valid & self.o.ready),
            closes.eq(move & self.ends),
        ]
        early = Signal()
        late = Signal()
        goes_on = 0 if self._sequences else ~given.last & self.ends
        m.d.comb += [
            early.eq(move & ~fill & given.last & ~self.ends),
            late.eq(move & ~fill & goes_on),
            self.wrong.eq(early | late | long | self._once(m, short, early)),
        ]
        dropped = self.i.valid & given.last
        m.d.sync += [
            fill.eq(Mux(fill, ~closes, early | short)),
            drop.eq(Mux(drop, ~dropped, late | long)),
        ]
        with m.If(move):
            m.d.sync += beat.eq(Mux(self.ends, 0, beat + 1))
        return m

    def _agree(self, m: Module, closes: Value) -> tuple[Signal, Signal, Signal]:
        """Compare the end of each vector with the other port's: agreed, too short, too long."""
        open_ = Signal()
        mine = Signal()
        agrees = Signal()
        short = Signal()
        long = Signal()
        known = open_ & self.sequence.valid
        m.d.comb += [
            self.sequence.ready.eq(open_),
            agrees.eq(~open_ | (known & (self.sequence.payload == mine))),
            short.eq(known & mine & ~self.sequence.payload),
            long.eq(known & ~mine & self.sequence.payload),
        ]
        m.d.sync += open_.eq(closes | (open_ & ~self.sequence.valid))
        with m.If(closes):
            m.d.sync += mine.eq(self.last)
        return agrees, short, long

    def _once(self, m: Module, short: Value | int, early: Value) -> Value | int:
        """A missing vector, if it is the first that lacks in a frame."""
        if not self._follows:
            return 0
        told = Signal()
        with m.If(short | early):
            m.d.sync += told.eq(1)
        with m.Elif(self.sequence.valid & self.sequence.ready):
            m.d.sync += told.eq(0)
        return Value.cast(short) & ~told
