"""Gate gradients cell by cell -> gate by gate, as vectors in block order i, f, o, g."""

from collections.abc import Sequence

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import memory, stream, wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from fxsim.arithmetic.formats import IntFormat
from fxsim.errors import ConfigError
from fxsim.hw.blocks.layouts import beat_of

GATES = 4


class BlockOrder(wiring.Component):
    """Transpose the four gates of each cell into four blocks, at full throughput.

    In comes a beat of ``lanes`` cells, all four gates of each; out goes a beat of ``4 * lanes``
    cells of one gate. Four memories hold two vectors: one is written while the other is read. Beat
    n of gate k lies in memory (n + k) mod 4, so that the four pieces of an input beat, and the four
    of an output beat, always lie in different memories.

    Parameters
    ----------
    fmt : IntFormat
        Format of a value.
    lanes : int
        Cells of an input beat.
    beats : int
        Input beats, and output beats, of a vector.

    Members
    -------
    i : In(stream of 4 x ``lanes`` values)
        Gates i, f, o, g of ``lanes`` cells.
    o : Out(stream of ``4 * lanes`` values)

    Latency is 2 cycles from the beat that completes an output beat: the fourth, eighth ... for gate
    i. The other gates follow once all of gate i has left. One beat a cycle, without a bubble.

    Raises
    ------
    ConfigError
        If ``beats`` is not a multiple of 4.
    """

    latency = 2

    def __init__(self, *, fmt: IntFormat, lanes: int, beats: int):
        if beats < GATES or beats % GATES:
            raise ConfigError(f"beats must be a multiple of {GATES}, not {beats}")
        self._piece = beat_of(fmt, lanes)
        self._beats = beats
        super().__init__(
            {
                "i": In(stream.Signature(ArrayLayout(self._piece, GATES))),
                "o": Out(stream.Signature(beat_of(fmt, GATES * lanes))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beats, words = self._beats, self._beats // GATES
        level = Signal(range(2 * beats + 1))  # beats of vectors that are not yet read to their end
        accept, advance, present, issue, finish = (Signal(name=name) for name in _CONTROL)

        write_half = Signal()
        write_word = Signal(range(words))
        phase = Signal(range(GATES))
        read_half = Signal()
        read_word = Signal(range(words))
        gate = Signal(range(GATES))
        last_write, last_read = write_word == words - 1, read_word == words - 1
        m.d.comb += [
            self.i.ready.eq(level != 2 * beats),
            accept.eq(self.i.valid & self.i.ready),
            # Beyond gate i the whole vector is known to be here, and then this holds too.
            present.eq(level > GATES * read_word + GATES - 1),
            advance.eq(~self.o.valid | self.o.ready),
            issue.eq(advance & present),
            finish.eq(issue & last_read & (gate == GATES - 1)),
        ]
        with m.If(accept):
            m.d.sync += phase.eq(phase + 1)
            with m.If(phase == GATES - 1):
                m.d.sync += [
                    write_word.eq(Mux(last_write, 0, write_word + 1)),
                    write_half.eq(write_half ^ last_write),
                ]
        with m.If(issue):
            m.d.sync += [
                read_word.eq(Mux(last_read, 0, read_word + 1)),
                gate.eq(gate + last_read),
                read_half.eq(read_half ^ finish),
            ]
        with m.If(advance):
            m.d.sync += self.o.valid.eq(present)
        m.d.sync += level.eq(level + accept - Mux(finish, beats, 0))

        def place(half: Value, gate: Value, word: Value) -> Value:
            return Mux(half, beats, 0) + gate * words + word

        banks = []
        for k in range(GATES):
            bank = memory.Memory(shape=self._piece, depth=2 * beats, init=[])
            m.submodules[f"bank{k}"] = bank
            write, read = bank.write_port(), bank.read_port()
            source = Signal(range(GATES), name=f"source_{k}")
            pieces = [self.i.payload[gate].as_value() for gate in range(GATES)]
            m.d.comb += [
                source.eq(k - phase),
                write.en.eq(accept),
                write.addr.eq(place(write_half, source, write_word)),
                write.data.eq(_pick(source, pieces)),
                read.en.eq(advance),
                read.addr.eq(place(read_half, gate, read_word)),
            ]
            banks.append(read.data.as_value())
        shown = Signal(range(GATES))
        with m.If(advance):
            m.d.sync += shown.eq(gate)
        width = self._piece.size
        for k in range(GATES):
            turned = [banks[(gate + k) % GATES] for gate in range(GATES)]
            piece = self.o.payload.as_value()[k * width : (k + 1) * width]
            m.d.comb += piece.eq(_pick(shown, turned))
        return m


_CONTROL = ("accept", "advance", "present", "issue", "finish")


def _pick(select: Value, values: Sequence[Value]) -> Value:
    """``values[select]``, for four values; an expression, which no simulator leaves unknown."""
    low = Mux(select[0], values[1], values[0])
    high = Mux(select[0], values[3], values[2])
    return Mux(select[1], high, low)
