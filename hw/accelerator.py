"""A whole network with AXI4-Stream ports: wires blocks, nothing else."""

from __future__ import annotations

from typing import NamedTuple

from amaranth.hdl import Cat, DomainRenamer, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from fxsim.hw.blocks.file_memory import FileMemory
from fxsim.hw.blocks.layouts import layout_of
from fxsim.hw.build import build
from fxsim.hw.edges.axi import axis_members, count_beats, frames, pack
from fxsim.hw.edges.axi_lite import axi_lite_members, connect_axi_lite
from fxsim.hw.edges.control import Control, address_bits
from fxsim.hw.edges.domains import KEPT, add_domains
from fxsim.hw.edges.framer import Framer
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
    """Input: its name, what makes vectors of its frames, their stream, and when it may move."""

    name: str
    framer: Framer
    link: stream.Interface
    admit: Signal


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
    memory_error : Out(1)
        Only with weights in block RAM: goes high, and stays, when what was read from a memory is
        not what its file should hold.
    s_axi_awaddr and so on
        Only with weights in block RAM, or on request: an AXI4-Lite slave with status, checksums
        and a soft reset. See `fxsim.hw.edges.control`.

    A frame of the wrong length is cut, or filled with zeros, and gives its vector like any other;
    the next frame starts a new one (`fxsim.hw.edges.framer`).

    With LSTM layers, tlast marks the last beat of a sequence instead, on both sides: the state is
    that of a new sequence after it. frame_error then means tlast before the end of a vector. With
    several inputs, sequences end where the first one says.

    Latency and interval are those of `fxsim.timing.cycles`.
    """

    def __init__(self, network: QuantizedNetwork):
        self.network = network
        self.plan = plan = plan_network(network)
        files = [memory.name for memory in plan.files()]
        self.controlled = bool(files) or network.control
        members: dict[str, object] = {}
        for name, port in port_names(SOURCE, plan.inputs).items():
            beat = plan.inputs[name].beat
            members |= axis_members(port, beat.format, beat.lanes, sink=True)
        for name, port in port_names(SINK, plan.outputs).items():
            beat = plan.outputs[name].beat
            members |= axis_members(port, beat.format, beat.lanes, sink=False)
        members["frame_error"] = Out(1)
        if files:
            members["memory_error"] = Out(1)
        if self.controlled:
            members |= axi_lite_members("s_axi", address_bits(files))
        super().__init__({"aclk": In(1), "aresetn": In(1), **members})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        reset = Signal()
        add_domains(m, self, reset)

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
        self._end_sequences(m, sources, flags)
        control = Control(memories, ports=len(sources), port=self.controlled)
        m.submodules["chip$control"] = DomainRenamer(KEPT)(control)
        m.d.comb += [
            control.wrong.eq(Cat(source.framer.wrong for source in sources)),
            self.frame_error.eq(control.frame_error),
        ]
        if memories:
            m.d.comb += self.memory_error.eq(control.memory_error)
        if self.controlled:
            connect_axi_lite(m, control, self, "s_axi")
            m.d.comb += reset.eq(control.reset)
        return m

    def _sources(self, m: Module) -> list[_Source]:
        """Connect the ports by which vectors come in."""
        found: list[_Source] = []
        for name, port in port_names(SOURCE, self.plan.inputs).items():
            entering, recurrent = self.plan.inputs[name], bool(self.plan.recurrent)
            framer = Framer(
                layout_of(entering.beat),
                beats=entering.count,
                sequences=recurrent,
                follows=recurrent and bool(found),
            )
            m.submodules[f"{port}$framer"] = framer
            frames(m, self, port, entering.beat, framer.i)
            link = self._link(name, entering.beat)
            admit = Signal(init=1)
            m.d.comb += [
                link.payload.eq(framer.o.payload),
                link.valid.eq(framer.o.valid & admit),
                framer.o.ready.eq(link.ready & admit),
            ]
            found.append(_Source(name, framer, link, admit))
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
        known = Signal(init=1)
        m.d.comb += [
            tdata.eq(pack(link.payload, leaving.beat.format, leaving.beat.lanes)),
            tvalid.eq(link.valid & known),
            link.ready.eq(tready & known),
            sent.eq(tvalid & tready),
        ]
        last_beat = count_beats(m, sent, leaving.count, port)
        if not self.plan.recurrent:
            m.d.comb += tlast.eq(last_beat)
            return
        # The end of a sequence travels next to the data, one bit a vector. Data that the first
        # input has no part in may be there sooner.
        tail = self._queue(m, f"{port}$last", flags)
        m.d.comb += [
            known.eq(tail.valid | ~last_beat),
            tlast.eq(last_beat & tail.payload),
            tail.ready.eq(sent & last_beat),
        ]

    def _end_sequences(
        self, m: Module, sources: list[_Source], flags: list[stream.Interface]
    ) -> None:
        """Hand on the ends of sequences, which are those of the first input."""
        if not self.plan.recurrent:
            return
        first, *others = sources
        for source in others:
            ends = self._queue(m, f"{source.name}$last", flags)
            wiring.connect(m, ends, source.framer.sequence)
        moves = Signal()
        m.d.comb += [
            first.admit.eq(Cat(flag.ready for flag in flags).all()),
            moves.eq(first.link.valid & first.link.ready),
        ]
        for flag in flags:
            m.d.comb += [
                flag.valid.eq(moves & first.framer.ends),
                flag.payload.eq(first.framer.last),
            ]

    def _queue(self, m: Module, name: str, flags: list[stream.Interface]) -> stream.Interface:
        """Queue of end-of-sequence bits; its input joins ``flags``, its output is returned."""
        m.submodules[name] = queue = SyncFIFO(width=1, depth=self.plan.ends_depth)
        flags.append(queue.w_stream)
        return queue.r_stream

    @staticmethod
    def _link(name: str, beat: Beat) -> stream.Interface:
        """Stream between layers."""
        return stream.Signature(layout_of(beat)).create(path=link_path(name))
