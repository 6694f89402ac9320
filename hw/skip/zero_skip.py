"""Zero-operand skipping: a stream of gradients -> the (index, value) pairs that matter."""

from amaranth.hdl import Module
from amaranth.lib import fifo, wiring

from fxsim.hw.skip.gather import Gather
from fxsim.hw.skip.marker import Marker, members_of
from fxsim.hw.skip.pairs import ZeroSkipConfig
from fxsim.hw.skip.picker import Picker


class ZeroSkipper(wiring.Component):
    """Drop zeros and hand out the rest, up to ``issue`` pairs a cycle, in order.

    Beats of zeros alone are not queued: they cost the source a cycle, but never the sink while
    there is work in the queue. With ``issue`` 1 the pairs leave the `Picker` as they are; with more
    a `Gather` after it fills groups across beats.

    Parameters
    ----------
    config : ZeroSkipConfig

    Members
    -------
    i : In(stream of ``lanes`` values)
        ``beats`` beats a vector; lanes beyond its end are ignored.
    o : Out(stream of groups, see `ZeroSkipConfig.group`)
        ``last`` marks the last group of each vector. Groups before it are full; it is empty only
        for a vector of zeros alone.
    kept, ends : Out
        See `fxsim.hw.skip.marker.Marker`; for counters.
    threshold : In(unsigned)
        With ``threshold`` only. Values of at most this magnitude count as zeros, from the beats
        that are taken in the same cycle on; 0 keeps all others.

    Latency is 3 cycles from a vector's last beat, or 4 with a `Gather`; 1 less from the beat that
    shows that those before it are not their vector's last. `fxsim.timing.skip_unit` knows the exact
    cycles. One beat a cycle while the queue has room.
    """

    def __init__(self, config: ZeroSkipConfig):
        self._config = config
        super().__init__(members_of(config, config.group))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        m.submodules.marker = marker = Marker(config)
        m.submodules.queue = queue = fifo.SyncFIFO(width=config.marked.size, depth=config.depth)
        m.submodules.picker = picker = Picker(config)
        wiring.connect(m, wiring.flipped(self.i), marker.i)
        if config.threshold:
            m.d.comb += marker.threshold.eq(self.threshold)
        m.d.comb += [
            queue.w_en.eq(marker.o.valid),
            queue.w_data.eq(marker.o.payload),
            marker.o.ready.eq(queue.w_rdy),
            picker.i.valid.eq(queue.r_rdy),
            picker.i.payload.eq(queue.r_data),
            queue.r_en.eq(picker.i.ready),
            self.kept.eq(marker.kept),
            self.ends.eq(marker.ends),
        ]
        if config.issue > 1:
            m.submodules.gather = gather = Gather(config)
            wiring.connect(m, picker.o, gather.i)
            wiring.connect(m, gather.o, wiring.flipped(self.o))
        else:
            m.d.comb += [
                self.o.valid.eq(picker.o.valid),
                self.o.payload.pairs.eq(picker.o.payload.pairs),
                self.o.payload.last.eq(picker.o.payload.last),
                picker.o.ready.eq(self.o.ready),
            ]
        return m
