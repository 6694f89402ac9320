"""Weights that come in over a stream, between vectors only."""

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import stream

from fxsim.hw.edges.framer import Framer


def load_between(
    m: Module,
    framer: Framer,
    weights: stream.Interface,
    payload: Value,
    *,
    idle: Value,
    accept: Value,
    ends: Value,
    loading: Signal,
    admit: Signal,
) -> None:
    """Let weights in: a whole set, and no vector inside.

    Registers say that a set waits, so that the port of the one does not depend on the other's.

    Parameters
    ----------
    framer : Framer
        Makes sets of the frames at the port of the weights.
    weights : stream
        Where they go, which is always ready.
    payload : Value
        What is made of a beat.
    idle : Value
        High while no vector is inside.
    accept, ends : Value
        High when a beat of a vector is taken, and where it is the last.
    loading : Signal
        Driven high from the first beat of a set to its last.
    admit : Signal
        Driven high where a beat of a vector may be taken.
    """
    write = Signal()
    first = Signal(init=1)
    waits = Signal()
    done = Signal()
    with m.If(accept):
        m.d.sync += first.eq(ends)
    m.d.comb += [
        admit.eq(~first | ~(loading | waits)),
        framer.o.ready.eq(loading | (idle & waits)),
        write.eq(framer.o.valid & framer.o.ready),
        done.eq(write & framer.ends),
        weights.valid.eq(write),
        weights.payload.eq(payload),
    ]
    m.d.sync += waits.eq(framer.o.valid & ~done)
    with m.If(write):
        m.d.sync += loading.eq(~framer.ends)
