"""Memory in front of a sparse array: holds lists of pairs and replays each one for every tile."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from fxsim.errors import ConfigError
from fxsim.hw.skip.pairs import ZeroSkipConfig


class ReplayBuffer(wiring.Component):
    """Queue of groups that gives out each vector ``tiles`` times, however long it is.

    `fxsim.hw.blocks.buffers.VectorBuffer` for vectors that say themselves where they end. The first
    pass starts while the vector still arrives; the last pass frees its groups one by one. There is
    room for two vectors without any zero, so that loads of unequal vectors even out.

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
    finished : Out(1)
        Whether the last group of a vector's last pass is taken in this cycle.

    Latency is 1 cycle from an accepted group to its first appearance; one group a cycle.

    Raises
    ------
    ConfigError
        If ``tiles`` is less than 1.
    """

    latency = 1

    def __init__(self, config: ZeroSkipConfig, *, tiles: int):
        if tiles < 1:
            raise ConfigError(f"tiles must be at least 1, not {tiles}")
        self._depth = 2 * config.groups
        self._tiles = tiles
        super().__init__(
            {
                "i": In(stream.Signature(config.group)),
                "o": Out(stream.Signature(config.group)),
                "finished": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        depth, tiles = self._depth, self._tiles
        m.submodules.storage = storage = memory.Memory(
            shape=self.i.payload.shape(), depth=depth, init=[]
        )
        write = storage.write_port()
        # The memory is read one cycle ahead: what it gives is the group at ``place``, and whether
        # that one is the last of its vector decides where to go on.
        read = storage.read_port(transparent_for=[write])

        stored = Signal(range(depth + 1))  # groups not yet freed
        unread = Signal(range(depth + 1))  # those of them that this pass has not yet given out
        accept = Signal()
        issue = Signal()
        release = Signal()
        write_place, place, start = (
            Signal(range(depth), name=n) for n in ("write", "here", "start")
        )
        tile = Signal(range(tiles))
        last_pass = Signal()
        finished = Signal()
        again = Signal()
        following = Signal(range(depth))
        after = Signal(range(depth))
        m.d.comb += [
            self.i.ready.eq(stored != depth),
            accept.eq(self.i.valid & self.i.ready),
            write.en.eq(accept),
            write.addr.eq(write_place),
            write.data.eq(self.i.payload),
            self.o.valid.eq(unread.any()),
            self.o.payload.eq(read.data),
            self.finished.eq(finished & last_pass),
            issue.eq(self.o.valid & self.o.ready),
            last_pass.eq(tile == tiles - 1),
            release.eq(issue & last_pass),
            finished.eq(issue & self.o.payload.last),
            again.eq(finished & ~last_pass),
            after.eq(Mux(place == depth - 1, 0, place + 1)),
            following.eq(Mux(again, start, Mux(issue, after, place))),
            read.addr.eq(following),
        ]
        with m.If(accept):
            m.d.sync += write_place.eq(Mux(write_place == depth - 1, 0, write_place + 1))
        m.d.sync += [
            place.eq(following),
            stored.eq(stored + accept - release),
            # Nothing of a vector that is given out again has been freed yet.
            unread.eq(Mux(again, stored + accept, unread + accept - issue)),
        ]
        with m.If(finished):
            m.d.sync += tile.eq(Mux(last_pass, 0, tile + 1))
            with m.If(last_pass):
                m.d.sync += start.eq(after)
        return m
