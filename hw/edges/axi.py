"""AXI4-Stream at the edges: lanes padded to whole bytes, names that vendor tools recognise."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.data import View
from amaranth.lib.wiring import Component, In, Member, Out

from fxsim.arithmetic.formats import IntFormat
from fxsim.plan.beat import Beat


def lane_bytes(fmt: IntFormat) -> int:
    """Bytes of one lane in tdata."""
    return -(-fmt.bits // 8)


def axis_members(prefix: str, fmt: IntFormat, lanes: int, *, sink: bool) -> dict[str, Member]:
    """Members ``<prefix>_tdata``, ``_tvalid``, ``_tready`` and ``_tlast`` of one AXI4-Stream."""
    forward, backward = (In, Out) if sink else (Out, In)
    return {
        f"{prefix}_tdata": forward(8 * lane_bytes(fmt) * lanes),
        f"{prefix}_tvalid": forward(1),
        f"{prefix}_tready": backward(1),
        f"{prefix}_tlast": forward(1),
    }


def unpack(tdata: Value, fmt: IntFormat, lanes: int) -> Value:
    """Concatenated low ``fmt.bits`` bits of each byte-padded lane."""
    size = 8 * lane_bytes(fmt)
    return Cat(tdata[k * size : k * size + fmt.bits] for k in range(lanes))


def frames(m: Module, top: Component, port: str, beat: Beat, sink: stream.Interface) -> None:
    """Connect an AXI4-Stream of ``top`` to a `fxsim.hw.edges.framer.Framer`."""
    tdata, tvalid, tready, tlast = (
        getattr(top, f"{port}_{part}") for part in ("tdata", "tvalid", "tready", "tlast")
    )
    m.d.comb += [
        Value.cast(sink.payload).eq(Cat(unpack(tdata, beat.format, beat.lanes), tlast)),
        sink.valid.eq(tvalid),
        tready.eq(sink.ready),
    ]


def pack(payload: View | Sequence[Value], fmt: IntFormat, lanes: int) -> Value:
    """Lanes extended to whole bytes by their sign (or by zeros), lane 0 in the low bytes."""
    padding = 8 * lane_bytes(fmt) - fmt.bits
    return Cat(
        Cat(payload[k], (payload[k][-1] if fmt.signed else Const(0, 1)).replicate(padding))
        for k in range(lanes)
    )


def count_beats(m: Module, transfer: Value, beats: int, name: str) -> Signal:
    """Bit that is set during the last of each ``beats`` transfers."""
    beat, last = Signal(range(beats), name=f"{name}_beat"), Signal(name=f"{name}_last")
    m.d.comb += last.eq(beat == beats - 1)
    with m.If(transfer):
        m.d.sync += beat.eq(Mux(last, 0, beat + 1))
    return last
