"""Change the number of lanes of a stream of vectors."""

from math import gcd

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fxsim.errors import ConfigError
from fxsim.formats import IntFormat
from fxsim.hw.arith import is_zero
from fxsim.hw.layouts import beat_of


class _Resize(wiring.Component):
    def __init__(self, *, fmt: IntFormat, lanes_in: int, lanes_out: int, items: int):
        wide, slim = max(lanes_in, lanes_out), min(lanes_in, lanes_out)
        if slim < 1 or wide == slim or wide % slim:
            raise ConfigError(
                f"lanes must differ and divide one another, not {lanes_in} and {lanes_out}"
            )
        if items < 1:
            raise ConfigError(f"items must be at least 1, not {items}")
        self._lanes_in, self._lanes_out = lanes_in, lanes_out
        self._parts = wide // slim
        self._slim_beats = -(-items // slim)
        super().__init__(
            {
                "i": In(stream.Signature(beat_of(fmt, lanes_in))),
                "o": Out(stream.Signature(beat_of(fmt, lanes_out))),
            }
        )

    def _part_counter(self, m: Module, step: Value) -> tuple[Signal, Signal]:
        """Part of the wide word that the next slim beat is, and whether it is the word's last."""
        part, beat = Signal(range(self._parts)), Signal(range(self._slim_beats))
        ends_vector = beat == self._slim_beats - 1
        last = Signal()
        m.d.comb += last.eq((part == self._parts - 1) | ends_vector)
        with m.If(step):
            m.d.sync += [
                part.eq(Mux(last, 0, part + 1)),
                beat.eq(Mux(ends_vector, 0, beat + 1)),
            ]
        return part, last


class Narrow(_Resize):
    """Split wide beats into several slim ones; lanes beyond the vector's end are dropped.

    Parameters
    ----------
    fmt : IntFormat
        Format of a lane.
    lanes_in, lanes_out : int
        ``lanes_out`` divides ``lanes_in`` and is less.
    items : int
        Items of a vector; a slim beat without any of them is not sent.

    Members
    -------
    i : In(stream of wide beats)
    o : Out(stream of slim beats)

    Latency is 1 cycle; one slim beat a cycle, without a bubble between words.

    Raises
    ------
    ConfigError
        If ``lanes_out`` does not divide ``lanes_in``, or equals it.
    """

    latency = 1

    def elaborate(self, platform: object) -> Module:
        m = Module()
        word = Signal(self.i.payload.shape(), reset_less=True)
        full, take = Signal(), Signal()
        m.d.comb += take.eq(self.o.valid & self.o.ready)
        part, last = self._part_counter(m, take)
        width = len(self.o.payload.as_value())
        m.d.comb += [
            # Not a Switch: Icarus would show X until its operands change for the first time.
            self.o.payload.eq((word.as_value() >> part * width)[:width]),
            self.o.valid.eq(full),
            self.i.ready.eq(~full | (take & last)),
        ]
        with m.If(self.i.ready):
            m.d.sync += full.eq(self.i.valid)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += word.eq(self.i.payload)
        return m


class Widen(_Resize):
    """Gather slim beats into wide ones; lanes beyond the vector's end are 0.

    Parameters
    ----------
    fmt : IntFormat
        Format of a lane.
    lanes_in, lanes_out : int
        ``lanes_in`` divides ``lanes_out`` and is less.
    items : int
        Items of a vector; its last word is sent as soon as they are there.

    Members
    -------
    i : In(stream of slim beats)
    o : Out(stream of wide beats)

    Latency is 1 cycle from a word's last slim beat; one slim beat a cycle.

    Raises
    ------
    ConfigError
        If ``lanes_in`` does not divide ``lanes_out``, or equals it.
    """

    latency = 1

    def elaborate(self, platform: object) -> Module:
        m = Module()
        accept = Signal()
        m.d.comb += [
            self.i.ready.eq(~self.o.valid | self.o.ready),
            accept.eq(self.i.valid & self.i.ready),
        ]
        part, last = self._part_counter(m, accept)
        width = len(self.i.payload.as_value())
        word = Signal(self.o.payload.shape().size, reset_less=True)
        m.d.comb += self.o.payload.eq(word)
        with m.If(self.i.ready):
            m.d.sync += self.o.valid.eq(self.i.valid & last)
        with m.If(accept):
            with m.If(is_zero(part)):
                m.d.sync += word.eq(0)
            with m.Switch(part):
                for k in range(self._parts):
                    with m.Default() if k == self._parts - 1 else m.Case(k):
                        m.d.sync += word.word_select(k, width).eq(self.i.payload)
        return m


def resize(*, fmt: IntFormat, lanes_in: int, lanes_out: int, items: int) -> list[_Resize]:
    """Blocks to chain, in order, to go from ``lanes_in`` to ``lanes_out`` lanes; none if equal."""
    common = lanes_in * lanes_out // gcd(lanes_in, lanes_out)
    blocks = []
    if common != lanes_in:
        blocks.append(Widen(fmt=fmt, lanes_in=lanes_in, lanes_out=common, items=items))
    if common != lanes_out:
        blocks.append(Narrow(fmt=fmt, lanes_in=common, lanes_out=lanes_out, items=items))
    return blocks
