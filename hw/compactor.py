"""Beats of a gradient -> the pairs of each beat, without zeros and without empty beats."""

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arith import as_signed, is_zero
from hw.layouts import beat_of
from hw.pairs import ZeroSkipConfig


class Compactor(wiring.Component):
    """Pack what is not zero in each beat to the low lanes; drop beats without any.

    A beat is held until the next one with pairs, or the end of the vector, so that the last one of
    a vector is known as such. A vector of zeros alone leaves one empty beat.

    Parameters
    ----------
    config : ZeroSkipConfig

    Members
    -------
    i : In(stream of ``lanes`` values)
        Lanes beyond the vector's end are ignored.
    o : Out(stream of entries, see `ZeroSkipConfig.entry`)
    threshold : In(unsigned)
        With ``threshold`` only. Values of at most this magnitude count as zeros, from the beats
        that are taken in the same cycle on; 0 keeps all others.

    Latency is 1 cycle from the beat after which an entry is known to be complete, 0 where that
    beat is not part of the entry. One beat a cycle.
    """

    def __init__(self, config: ZeroSkipConfig):
        self._config = config
        members = {
            "i": In(stream.Signature(beat_of(config.gradient, config.lanes))),
            "o": Out(stream.Signature(config.entry)),
        }
        if config.threshold:
            members["threshold"] = In(config.magnitude)
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        config = self._config
        beat, base = Signal(range(max(config.beats, 2))), Signal(config.pair["index"].shape)
        ends, accept = Signal(), Signal()
        m.d.comb += [
            ends.eq(beat == config.beats - 1),
            accept.eq(self.i.valid & self.i.ready),
        ]
        with m.If(accept):
            m.d.sync += [
                beat.eq(Mux(ends, 0, beat + 1)),
                base.eq(Mux(ends, 0, base + config.lanes)),
            ]

        keep = Signal(config.lanes)
        m.d.comb += keep.eq(Cat(self._keep(lane, ends) for lane in range(config.lanes)))
        count = sum(keep)
        empty = is_zero(keep)

        full, known = Signal(), Signal()  # an entry is held; it is the vector's last one
        held = Signal(config.entry["pairs"].shape, reset_less=True)
        held_count = Signal(config.entry["count"].shape, reset_less=True)
        closes, load = Signal(), Signal()
        m.d.comb += [
            closes.eq(self.i.valid & ends & empty),
            self.i.ready.eq(~full | self.o.ready),
            self.o.valid.eq(full & (known | closes | (self.i.valid & ~empty))),
            self.o.payload.pairs.eq(held),
            self.o.payload.count.eq(held_count),
            self.o.payload.last.eq(known | closes),
            # The end of a vector is an entry of its own only where no other one waits for it.
            load.eq(accept & (~empty | (ends & (known | ~full)))),
        ]
        m.d.sync += full.eq(load | (full & ~(self.o.valid & self.o.ready)))
        with m.If(load):
            m.d.sync += [
                held.eq(self._packed(keep, base)),
                held_count.eq(count),
                known.eq(ends),
            ]
        return m

    def _keep(self, lane, ends):
        """Bit that is set where a lane holds a pair."""
        config = self._config
        value = self.i.payload[lane]
        keep = value.any()
        if config.threshold:
            magnitude = Mux(value < 0, -value, value) if config.gradient.signed else value
            keep = as_signed(magnitude) > as_signed(self.threshold)
        idle = lane >= config.items - (config.beats - 1) * config.lanes
        return keep & ~ends if idle else keep

    def _packed(self, keep, base):
        """Pairs in the low lanes, in order, and zeros behind them.

        The pair of lane k goes to slot s where s lanes below k keep theirs; at most one does.
        """
        slots = [[] for _ in range(self._config.lanes)]
        for lane in range(self._config.lanes):
            index = (base + lane)[: len(base)]
            pair = Cat(self.i.payload[lane], index)
            place = sum(keep[:lane], Const(0))
            for slot in range(lane + 1):
                slots[slot].append(Mux(keep[lane] & (place == slot), pair, 0))
        return Cat(reduce(or_, pairs)[: self._config.pair.size] for pairs in slots)
