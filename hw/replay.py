"""Memory in front of a sparse array: holds lists of pairs and replays each one for every tile."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from fxsim.errors import ConfigError
from hw.pairs import ZeroSkipConfig


class ReplayBuffer(wiring.Component):
    """Queue of groups that gives out each vector ``tiles`` times, however long it is.

    `hw.buffers.VectorBuffer` for vectors that say themselves where they end. The first pass starts
    while the vector still arrives; the last pass frees its groups one by one. There is room for two
    vectors without any zero, so that loads of unequal vectors even out.

    Parameters
    ----------
    config : ZeroSkipConfig
    tiles : int
        How often each vector is given out.

    Members
    -------
    i : In(stream of groups, see `ZeroSkipConfig.group`)
    o : Out(stream of groups)
        Each vector ``tiles`` times over.

    Latency is 2 cycles from an accepted group to its first appearance; one group a cycle.

    Raises
    ------
    ConfigError
        If ``tiles`` is less than 1.
    """

    latency = 2

    def __init__(self, config: ZeroSkipConfig, *, tiles: int):
        if tiles < 1:
            raise ConfigError(f"tiles must be at least 1, not {tiles}")
        self._depth = 2 * config.groups
        self._tiles = tiles
        super().__init__(
            {
                "i": In(stream.Signature(config.group)),
                "o": Out(stream.Signature(config.group)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        depth, tiles = self._depth, self._tiles
        m.submodules.storage = storage = memory.Memory(
            shape=self.i.payload.shape(), depth=depth, init=[]
        )
        write, read = storage.write_port(), storage.read_port()
        # The end of a vector must be known in the cycle that reads it, not one later.
        m.submodules.ends = ends = memory.Memory(shape=1, depth=depth, init=[])
        write_end, read_end = ends.write_port(), ends.read_port(domain="comb")

        stored = Signal(range(depth + 1))  # groups not yet freed
        unread = Signal(range(depth + 1))  # those of them that this pass has not yet given out
        accept, issue, release = Signal(), Signal(), Signal()
        write_place, read_place = Signal(range(depth)), Signal(range(depth))
        start, tile = Signal(range(depth)), Signal(range(tiles))
        advance, last_pass, after = Signal(), Signal(), Signal(range(depth))

        m.d.comb += [
            self.i.ready.eq(stored != depth),
            accept.eq(self.i.valid & self.i.ready),
            write.en.eq(accept),
            write.addr.eq(write_place),
            write.data.eq(self.i.payload),
            write_end.en.eq(accept),
            write_end.addr.eq(write_place),
            write_end.data.eq(self.i.payload.last),
            advance.eq(~self.o.valid | self.o.ready),
            issue.eq(advance & unread.any()),
            last_pass.eq(tile == tiles - 1),
            release.eq(issue & last_pass),
            read.en.eq(advance),
            read.addr.eq(read_place),
            read_end.addr.eq(read_place),
            after.eq(Mux(read_place == depth - 1, 0, read_place + 1)),
            self.o.payload.eq(read.data),
        ]
        with m.If(accept):
            m.d.sync += write_place.eq(Mux(write_place == depth - 1, 0, write_place + 1))
        with m.If(advance):
            m.d.sync += self.o.valid.eq(unread.any())
        m.d.sync += [
            stored.eq(stored + accept - release),
            unread.eq(unread + accept - issue),
        ]
        with m.If(issue):
            m.d.sync += read_place.eq(after)
            with m.If(read_end.data):
                m.d.sync += tile.eq(tile + 1)
                with m.If(last_pass):
                    m.d.sync += [tile.eq(0), start.eq(after)]
                with m.Else():
                    # Nothing of this vector has been freed yet.
                    m.d.sync += [read_place.eq(start), unread.eq(stored + accept)]
        return m
