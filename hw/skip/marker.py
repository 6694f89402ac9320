"""Beats of a gradient -> the same beats with a mark at each value that matters."""

from amaranth.hdl import Cat, Module, Mux, ShapeLike, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fxsim.hw.blocks.arith import Bounded, is_zero
from fxsim.hw.blocks.layouts import beat_of
from fxsim.hw.skip.pairs import ZeroSkipConfig


def members_of(config: ZeroSkipConfig, payload: ShapeLike) -> dict[str, wiring.Member]:
    """Members of a `Marker`, and of what begins with one, whose output has this payload."""
    members = {
        "i": In(stream.Signature(beat_of(config.gradient, config.lanes))),
        "o": Out(stream.Signature(payload)),
        "kept": Out(config.lanes),
        "ends": Out(1),
    }
    if config.threshold:
        members["threshold"] = In(config.magnitude)
    return members


class Marker(wiring.Component):
    """Mark what is not zero in each beat; drop beats without any mark.

    A beat is held until the next one with marks, or the end of the vector, so that the last one of
    a vector is known as such. A vector of zeros alone leaves one beat without marks.

    Parameters
    ----------
    config : ZeroSkipConfig

    Members
    -------
    i : In(stream of ``lanes`` values)
        Lanes beyond the vector's end are ignored.
    o : Out(stream of beats, see `ZeroSkipConfig.marked`)
    kept : Out(lanes)
        Marks of the beat that ``i`` offers.
    ends : Out(1)
        Whether that beat is the last of its vector.
    threshold : In(unsigned)
        With ``threshold`` only. Values of at most this magnitude count as zeros, from the beats
        that are taken in the same cycle on; 0 keeps all others.

    Latency is 1 cycle from the beat after which an entry is known to be complete, 0 where that
    beat is not part of the entry. One beat a cycle.
    """

    def __init__(self, config: ZeroSkipConfig):
        self._config = config
        super().__init__(members_of(config, config.marked))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        beat = Signal(range(max(config.beats, 2)))
        ends = self.ends
        accept = Signal()
        keep = self.kept
        m.d.comb += [
            ends.eq(beat == config.beats - 1),
            accept.eq(self.i.valid & self.i.ready),
            keep.eq(Cat(self._keep(lane, ends) for lane in range(config.lanes))),
        ]
        with m.If(accept):
            m.d.sync += beat.eq(Mux(ends, 0, beat + 1))
        empty = is_zero(keep)

        full = Signal()
        known = Signal()  # a beat is held; it is the vector's last one with marks
        held = Signal(config.marked, reset_less=True)
        closes = Signal()
        load = Signal()
        m.d.comb += [
            closes.eq(self.i.valid & ends & empty),
            self.i.ready.eq(~full | self.o.ready),
            self.o.valid.eq(full & (known | closes | (self.i.valid & ~empty))),
            self.o.payload.eq(held),
            self.o.payload.last.eq(known | closes),
            # The end of a vector is an entry of its own only where no other one waits for it.
            load.eq(accept & (~empty | (ends & (known | ~full)))),
        ]
        m.d.sync += full.eq(load | (full & ~(self.o.valid & self.o.ready)))
        with m.If(load):
            m.d.sync += [
                held.values.eq(self.i.payload),
                held.keep.eq(keep),
                held.beat.eq(beat),
                known.eq(ends),
            ]
        return m

    def _keep(self, lane: int, ends: Value) -> Value:
        """Bit that is set where a lane holds a pair."""
        config = self._config
        value = self.i.payload[lane]
        keep = self._beyond(value) if config.threshold else value.any()
        idle = lane >= config.items - (config.beats - 1) * config.lanes
        return keep & ~ends if idle else keep

    def _beyond(self, value: Value) -> Value:
        """1 if the magnitude of ``value`` exceeds the threshold, with one carry chain a lane."""
        if not self._config.gradient.signed:
            return value > self.threshold
        threshold, value = Bounded.whole(self.threshold), Bounded.whole(value)
        return threshold.add_sub(value, ~value.value[-1]).value < 0
