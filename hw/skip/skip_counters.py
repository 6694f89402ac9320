"""Counters of a zero-skipping unit: what it did, and why it stood still."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fxsim.hw.skip.pairs import ZeroSkipConfig

COUNTERS = {
    "vectors": "vectors that have left the unit",
    "operands": "values taken",
    "skipped": "those of them that count as zeros",
    "cycles": "cycles from the one after a vector's first beat, until no vector is inside",
    "busy": "of these, cycles in which the array, or the skipper's output, had work",
    "starved": "of these, cycles that waited for pairs",
    "conflict": "of these, cycles in which pairs waited for a bank; 0, as none ever does",
    "drain": "of these, cycles that waited for the output, or for the last results",
    "full": "cycles in which a beat was offered and had to wait",
}
"""Counters by name, in the order of their registers, with their meaning."""


class SkipCounters(wiring.Component):
    """Counters of 32 bits; cycles = busy + starved + conflict + drain.

    Parameters
    ----------
    config : ZeroSkipConfig
    most : int
        Most vectors that can be in the unit at a time.

    Members
    -------
    offered, accepted : In(1)
        Whether the unit is offered a beat, and takes it.
    kept, ends : In
        What `fxsim.hw.skip.zero_skip.ZeroSkipper` says of that beat.
    waiting, taken, finished : In(1)
        Whether a group waits at the array, is taken, and is the last of its vector's last tile.
    sent : In(1)
        Whether the last beat of an output vector is taken.
    clear : In(1)
        Set all counters to 0.
    idle : Out(1)
        Whether no vector is inside.
    vectors, operands and so on: Out(32), one for each of `COUNTERS`, but for ``conflict``.

    What happens in a cycle is counted up to 4 cycles later.
    """

    def __init__(self, config: ZeroSkipConfig, *, most: int):
        self._config, self._most = config, most
        flags = ("offered", "accepted", "ends", "waiting", "taken", "finished", "sent", "clear")
        super().__init__(
            {name: In(1) for name in flags}
            | {"kept": In(config.lanes), "idle": Out(1)}
            | {name: Out(32) for name in COUNTERS if name != "conflict"}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        inside = Signal(range(self._most + 1))
        pending = Signal(range(self._most + 1))
        first = Signal(init=1)
        begins = Signal()
        active = Signal()
        starved = Signal()
        with m.If(self.accepted):
            m.d.sync += first.eq(self.ends)
        m.d.comb += [
            begins.eq(self.accepted & first),
            active.eq(inside.any()),
            self.idle.eq(~active),
            starved.eq(active & pending.any() & ~self.waiting),
        ]
        m.d.sync += [
            inside.eq(inside + begins - self.sent),
            # Vectors that the array has not finished: without any, nothing is missing.
            pending.eq(pending + begins - self.finished),
        ]

        tail = config.items - (config.beats - 1) * config.lanes
        kept = Signal(config.lanes)
        size = Signal(range(config.lanes + 1))
        zeros = Signal(range(config.lanes + 1))
        m.d.sync += [
            kept.eq(Mux(self.accepted, self.kept, 0)),
            size.eq(Mux(self.accepted, Mux(self.ends, tail, config.lanes), 0)),
            zeros.eq(size - sum(kept)),
        ]
        events = {
            "vectors": self.sent,
            "operands": size,
            "skipped": zeros,
            "cycles": active,
            "busy": self.taken,
            "starved": starved,
            "drain": active & ~self.taken & ~starved,
            "full": self.offered & ~self.accepted,
        }
        for name, event in events.items():
            counter, step = (
                getattr(self, name),
                Signal(range(config.lanes + 1), name=f"{name}_step"),
            )
            m.d.sync += [step.eq(event), counter.eq(Mux(self.clear, 0, counter + step))]
        return m
