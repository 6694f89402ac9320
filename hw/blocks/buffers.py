"""Memory in front of a layer: holds vectors and replays each one for every tile."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from fxsim.hw.blocks.arith import is_zero
from fxsim.hw.blocks.layouts import layout_of
from fxsim.plan.buffers import VectorBufferConfig


class VectorBuffer(wiring.Component):
    """Queue of two vectors that gives out each vector ``tiles`` times.

    The first pass starts while the vector still arrives; the last pass frees its beats one by one,
    so that the next vector can follow without a bubble.

    Parameters
    ----------
    config : VectorBufferConfig

    Members
    -------
    i : In(stream of beats)
        Vectors, ``beats`` beats each. Ready while fewer than two vectors are stored.
    o : Out(stream of beats)
        Each vector ``tiles`` times over.

    Latency is 2 cycles from an accepted beat to its first appearance; one beat a cycle.
    """

    latency = 2

    def __init__(self, config: VectorBufferConfig):
        self._config = config
        self._payload = layout_of(config.beat)
        super().__init__(
            {
                "i": In(stream.Signature(self._payload)),
                "o": Out(stream.Signature(self._payload)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beats, tiles = self._config.beats, self._config.tiles
        m.submodules.storage = storage = memory.Memory(
            shape=self._payload, depth=self._config.depth, init=[]
        )
        write, read = storage.write_port(), storage.read_port()

        level = Signal(range(2 * beats + 1))  # beats stored and not yet freed
        accept = Signal()
        release = Signal()
        issue = Signal()

        # Vectors alternate between the two halves of the memory.
        write_half = Signal()
        write_beat = Signal(range(beats))
        m.d.comb += [
            self.i.ready.eq(level != 2 * beats),
            accept.eq(self.i.valid & self.i.ready),
            write.en.eq(accept),
            write.addr.eq(Mux(write_half, beats, 0) + write_beat),
            write.data.eq(self.i.payload),
        ]
        with m.If(accept):
            m.d.sync += write_beat.eq(write_beat + 1)
            with m.If(write_beat == beats - 1):
                m.d.sync += [write_beat.eq(0), write_half.eq(~write_half)]

        read_half = Signal()
        read_beat = Signal(range(beats))
        tile = Signal(range(tiles))
        advance = Signal()
        present = Signal()
        # After the first pass the whole vector is known to be here. With a single tile beats are
        # freed as they are read, so the vector's next beat is always the oldest one stored.
        first_pass = is_zero(tile)
        arrived = level > read_beat if tiles > 1 else level != 0
        m.d.comb += [
            present.eq(~first_pass | arrived),
            advance.eq(~self.o.valid | self.o.ready),
            issue.eq(advance & present),
            release.eq(issue & (tile == tiles - 1)),
            read.en.eq(advance),
            read.addr.eq(Mux(read_half, beats, 0) + read_beat),
            self.o.payload.eq(read.data),
        ]
        with m.If(advance):
            m.d.sync += self.o.valid.eq(present)
        with m.If(issue):
            m.d.sync += read_beat.eq(read_beat + 1)
            with m.If(read_beat == beats - 1):
                m.d.sync += [read_beat.eq(0), tile.eq(tile + 1)]
                with m.If(tile == tiles - 1):
                    m.d.sync += [tile.eq(0), read_half.eq(~read_half)]

        m.d.sync += level.eq(level + accept - release)
        return m
