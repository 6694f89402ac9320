"""A whole network with AXI4-Stream ports: wires blocks, nothing else."""

from __future__ import annotations

from typing import NamedTuple

from amaranth.hdl import Cat, ClockDomain, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from fxsim.hw.blocks.file_memory import FileMemory
from fxsim.hw.blocks.layouts import layout_of
from fxsim.hw.build import build
from fxsim.hw.edges.axi import axis_members, count_beats, pack, unpack
from fxsim.hw.edges.axi_lite import axi_lite_members, connect_axi_lite
from fxsim.hw.edges.memory_check import MemoryCheck, address_bits
from fxsim.hw.layer import Layer, ports
from fxsim.hw.lstm.lstm import Lstm
from fxsim.network import QuantizedNetwork
from fxsim.plan.beat import Beat
from fxsim.plan.buffers import ForkConfig
from fxsim.plan.graph import Group, Stream
from fxsim.plan.lstm import LoopGroup
from fxsim.plan.memory import WeightMemory
from fxsim.plan.planner import plan_network
from fxsim.plan.ports import SINK, SOURCE, link_path, port_names, state_path


def file_memories(network: QuantizedNetwork) -> list[WeightMemory]:
    """Weight memories that are filled from files, in the order of the data."""
    return plan_network(network).files()


class _Source(NamedTuple):
    """Port of an input, its stream, and when a vector ends on it."""

    name: str
    link: stream.Interface
    accept: Signal
    admit: Signal
    ends: Signal
    tlast: Signal


class Accelerator(wiring.Component):
    """Streaming hardware of a `fxsim.network.QuantizedNetwork`.

    Parameters
    ----------
    network : QuantizedNetwork

    Members
    -------
    aclk, aresetn : In(1)
        Clock, and synchronous reset that is active when low.
    s_axis_tdata, s_axis_tvalid, s_axis_tready, s_axis_tlast
        Input vectors: ceil(inputs / lanes) beats of the first layer's input lanes (``simd``, or
        what images take of it). Each lane is padded to whole bytes, lane 0 in the low bytes; the
        high bits of a lane are ignored. With several inputs, s_axis_<input>_tdata and so on; each
        takes a vector whether or not the others have theirs.
    m_axis_tdata, m_axis_tvalid, m_axis_tready, m_axis_tlast
        Output vectors: beats of the last layer's output lanes, sign-extended to whole bytes; tlast
        marks a vector's last beat. With several outputs, m_axis_<layer>_tdata and so on; vectors of
        different ones may be taken one after the other, in any order
        (`fxsim.timing.depths`).
    frame_error : Out(1)
        Goes high, and stays, when the tlast of an input is not exactly on the last beat of a
        vector.

    memory_error : Out(1), s_axi_awaddr and so on
        Only with weights in block RAM: goes high, and stays, when what was read from a memory is
        not what its file should hold; the AXI4-Lite port has status and checksums. See
        `fxsim.hw.edges.memory_check`.

    With LSTM layers, tlast marks the last beat of a sequence instead, on both sides: the state is
    that of a new sequence after it. frame_error then means tlast before the end of a vector. With
    several inputs, sequences end where the first one says.

    Latency and interval are those of `fxsim.timing.cycles`.
    """

    def __init__(self, network: QuantizedNetwork):
        self.network = network
        self.plan = plan = plan_network(network)
        files = [memory.name for memory in plan.files()]
        members: dict[str, object] = {}
        for name, port in port_names(SOURCE, plan.inputs).items():
            beat = plan.inputs[name].beat
            members |= axis_members(port, beat.format, beat.lanes, sink=True)
        for name, port in port_names(SINK, plan.outputs).items():
            beat = plan.outputs[name].beat
            members |= axis_members(port, beat.format, beat.lanes, sink=False)
        members["frame_error"] = Out(1)
        if files:
            members |= axi_lite_members("s_axi", address_bits(files))
            members["memory_error"] = Out(1)
        super().__init__({"aclk": In(1), "aresetn": In(1), **members})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.domains.sync = sync = ClockDomain()
        m.d.comb += [sync.clk.eq(self.aclk), sync.rst.eq(~self.aresetn)]

        plan = self.plan
        flags: list[stream.Interface] = []
        memories: list[FileMemory] = []
        sources = self._sources(m)
        streams = {(source.name, 0): source.link for source in sources}
        for node in plan.group.nodes:
            taken = [streams[source] for source in node.sources]
            record = node.record
            if not isinstance(record, Group):
                m.submodules[node.path] = edge = build(record)
                wiring.connect(m, taken[0], edge.i)
                sinks = edge.o if isinstance(record, ForkConfig) else [edge.o]
                streams |= {(node.path, k): sink for k, sink in enumerate(sinks)}
                continue
            if isinstance(record, LoopGroup):
                block = Lstm(record)
                wiring.connect(m, self._queue(m, f"{node.path}$last", flags), block.last)
                state = block.state.signature.create(path=state_path(node.path, "cell"))
                wiring.connect(m, block.state, wiring.flipped(state))
            else:
                block = Layer(record)
            m.submodules[node.path] = block
            memories += block.memories
            for given, port in zip(taken, ports(node), strict=True):
                wiring.connect(m, given, getattr(block, port))
            link = self._link(node.path, node.output.beat)
            wiring.connect(m, block.o, wiring.flipped(link))
            streams[node.path, 0] = link
        for name, port in port_names(SINK, plan.outputs).items():
            self._sink(m, port, plan.outputs[name], streams[plan.group.outputs[name]], flags)
        self._check_frames(m, sources, flags)
        if memories:
            m.submodules["memory$check"] = check = MemoryCheck(memories)
            connect_axi_lite(m, check, self, "s_axi")
            m.d.comb += [
                check.frame_error.eq(self.frame_error),
                self.memory_error.eq(check.memory_error),
            ]
        return m

    def _sources(self, m: Module) -> list[_Source]:
        """Connect the ports by which vectors come in."""
        found = []
        for name, port in port_names(SOURCE, self.plan.inputs).items():
            entering = self.plan.inputs[name]
            tdata, tvalid, tready, tlast = (
                getattr(self, f"{port}_{part}") for part in ("tdata", "tvalid", "tready", "tlast")
            )
            link = self._link(name, entering.beat)
            accept, admit = Signal(), Signal(init=1)
            m.d.comb += [
                link.payload.eq(unpack(tdata, entering.beat.format, entering.beat.lanes)),
                link.valid.eq(tvalid & admit),
                tready.eq(link.ready & admit),
                accept.eq(link.valid & link.ready),
            ]
            ends = count_beats(m, accept, entering.count, port)
            found.append(_Source(name, link, accept, admit, ends, tlast))
        return found

    def _sink(
        self,
        m: Module,
        port: str,
        leaving: Stream,
        link: stream.Interface,
        flags: list[stream.Interface],
    ) -> None:
        """Connect a port by which vectors go out."""
        tdata, tvalid, tready, tlast = (
            getattr(self, f"{port}_{part}") for part in ("tdata", "tvalid", "tready", "tlast")
        )
        sent = Signal()
        m.d.comb += [
            tdata.eq(pack(link.payload, leaving.beat.format, leaving.beat.lanes)),
            tvalid.eq(link.valid),
            link.ready.eq(tready),
            sent.eq(tvalid & tready),
        ]
        last_beat = count_beats(m, sent, leaving.count, port)
        if not self.plan.recurrent:
            m.d.comb += tlast.eq(last_beat)
            return
        # The end of a sequence travels next to the data, one bit a vector.
        tail = self._queue(m, f"{port}$last", flags)
        m.d.comb += [tlast.eq(last_beat & tail.payload), tail.ready.eq(sent & last_beat)]

    def _check_frames(
        self, m: Module, sources: list[_Source], flags: list[stream.Interface]
    ) -> None:
        """Hand on the ends of sequences, and tell those of vectors that are wrong."""
        first, *_ = sources
        if flags:
            m.d.comb += first.admit.eq(Cat(flag.ready for flag in flags).all())
        for flag in flags:
            m.d.comb += [
                flag.valid.eq(first.accept & first.ends),
                flag.payload.eq(first.tlast),
            ]
        for source in sources:
            wrong = Signal()
            early = source.tlast & ~source.ends
            m.d.comb += wrong.eq(early if flags else source.tlast != source.ends)
            with m.If(source.accept & wrong):
                m.d.sync += self.frame_error.eq(1)

    def _queue(self, m: Module, name: str, flags: list[stream.Interface]) -> stream.Interface:
        """Queue of end-of-sequence bits; its input joins ``flags``, its output is returned."""
        m.submodules[name] = queue = SyncFIFO(width=1, depth=self.plan.ends_depth)
        flags.append(queue.w_stream)
        return queue.r_stream

    @staticmethod
    def _link(name: str, beat: Beat) -> stream.Interface:
        """Stream between layers."""
        return stream.Signature(layout_of(beat)).create(path=link_path(name))
