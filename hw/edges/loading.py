"""Weights that come in over a stream, between vectors only."""

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import Component

from fxsim.hw.edges.axi import count_beats


def load_between(
    m: Module,
    top: Component,
    weights: stream.Interface,
    payload: Value,
    *,
    words: int,
    idle: Value,
    accept: Value,
    ends: Value,
    loading: Signal,
    admit: Signal,
    wrong: Signal,
) -> None:
    """Let weights in by the port ``s_axis_weights`` of ``top``: a whole set, and no vector inside.

    Parameters
    ----------
    weights : stream
        Where they go, which is always ready.
    payload : Value
        What is made of a beat.
    words : int
        Beats of a set.
    idle : Value
        High while no vector is inside.
    accept, ends : Value
        High when a beat of a vector is taken, and where it is the last.
    loading : Signal
        Driven high from the first beat of a set to its last.
    admit : Signal
        Driven high where a beat of a vector may be taken.
    wrong : Signal
        Driven high with a beat whose tlast is not where it belongs.
    """
    write, first = Signal(), Signal(init=1)
    with m.If(accept):
        m.d.sync += first.eq(ends)
    ends_set = count_beats(m, write, words, "s_axis_weights")
    m.d.comb += [
        admit.eq(~first | ~(loading | top.s_axis_weights_tvalid)),
        top.s_axis_weights_tready.eq(loading | idle),
        write.eq(top.s_axis_weights_tvalid & top.s_axis_weights_tready),
        weights.valid.eq(write),
        weights.payload.eq(payload),
        wrong.eq(write & (top.s_axis_weights_tlast != ends_set)),
    ]
    with m.If(write):
        m.d.sync += loading.eq(~ends_set)
