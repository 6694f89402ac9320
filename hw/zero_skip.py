"""Zero-operand skipping: a stream of gradients -> the (index, value) pairs that matter."""

from amaranth.hdl import Module
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.compactor import Compactor
from hw.gather import Gather
from hw.layouts import beat_of
from hw.pairs import ZeroSkipConfig


class ZeroSkipper(wiring.Component):
    """Drop zeros and hand out the rest, up to ``issue`` pairs a cycle, in order.

    Beats lose their zeros before they are queued, and beats without any other value are not queued
    at all: they cost the source a cycle, but never the sink while there is work in the queue.

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
    threshold : In(unsigned)
        With ``threshold`` only. Values of at most this magnitude count as zeros, from the beats
        that are taken in the same cycle on; 0 keeps all others.

    Latency is 3 cycles from a vector's last beat, and from the beat that shows that a full group is
    not its vector's last, 2. `fxsim.skip_cycles` knows the exact cycles. One beat a cycle while the
    queue has room.
    """

    def __init__(self, config: ZeroSkipConfig):
        self._config = config
        members = {
            "i": In(stream.Signature(beat_of(config.gradient, config.lanes))),
            "o": Out(stream.Signature(config.group)),
        }
        if config.threshold:
            members["threshold"] = In(config.magnitude)
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        config = self._config
        m.submodules.compactor = compactor = Compactor(config)
        m.submodules.queue = queue = fifo.SyncFIFO(width=config.entry.size, depth=config.depth)
        m.submodules.gather = gather = Gather(config)
        wiring.connect(m, wiring.flipped(self.i), compactor.i)
        wiring.connect(m, gather.o, wiring.flipped(self.o))
        if config.threshold:
            m.d.comb += compactor.threshold.eq(self.threshold)
        m.d.comb += [
            queue.w_en.eq(compactor.o.valid),
            queue.w_data.eq(compactor.o.payload),
            compactor.o.ready.eq(queue.w_rdy),
            gather.i.valid.eq(queue.r_rdy),
            gather.i.payload.eq(queue.r_data),
            queue.r_en.eq(gather.i.ready),
        ]
        return m
