"""A whole network behind AXI4-Stream ports: wires blocks, nothing else."""

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
from fxsim.hw.layer import Layer
from fxsim.hw.lstm.lstm import Lstm
from fxsim.network import INPUT, QuantizedNetwork
from fxsim.plan.beat import Beat
from fxsim.plan.buffers import ForkConfig
from fxsim.plan.graph import Group
from fxsim.plan.lstm import LoopGroup
from fxsim.plan.memory import WeightMemory
from fxsim.plan.planner import plan_network


def file_memories(network: QuantizedNetwork) -> list[WeightMemory]:
    """Weight memories that are filled from files, in the order of the data."""
    return plan_network(network).files()


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
        high bits of a lane are ignored.
    m_axis_tdata, m_axis_tvalid, m_axis_tready, m_axis_tlast
        Output vectors: beats of the last layer's output lanes, sign-extended to whole bytes; tlast
        marks a vector's last beat.
    frame_error : Out(1)
        Goes high, and stays, when s_axis_tlast is not exactly on the last beat of a vector.

    memory_error : Out(1), s_axi_awaddr and so on
        Only with weights in block RAM: goes high, and stays, when what was read from a memory is
        not what its file should hold; status and checksums are behind the AXI4-Lite port. See
        `fxsim.hw.edges.memory_check`.

    With LSTM layers, tlast marks the last beat of a sequence instead, on both sides: the state is
    that of a new sequence after it. frame_error then means tlast before the end of a vector.

    Latency and interval are those of `fxsim.timing.cycles`.
    """

    def __init__(self, network: QuantizedNetwork):
        self.network = network
        self.plan = plan = plan_network(network)
        entering, leaving = plan.input.beat, plan.output.beat
        files = [memory.name for memory in plan.files()]
        members = {}
        if files:
            members = axi_lite_members("s_axi", address_bits(files))
            members["memory_error"] = Out(1)
        super().__init__(
            {
                "aclk": In(1),
                "aresetn": In(1),
                **axis_members("s_axis", entering.format, entering.lanes, sink=True),
                **axis_members("m_axis", leaving.format, leaving.lanes, sink=False),
                "frame_error": Out(1),
                **members,
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.domains.sync = sync = ClockDomain()
        m.d.comb += [sync.clk.eq(self.aclk), sync.rst.eq(~self.aresetn)]

        plan = self.plan
        entering, leaving = plan.input.beat, plan.output.beat
        link = self._link("input", entering)
        accept, admit = Signal(), Signal(init=1)
        m.d.comb += [
            link.payload.eq(unpack(self.s_axis_tdata, entering.format, entering.lanes)),
            link.valid.eq(self.s_axis_tvalid & admit),
            self.s_axis_tready.eq(link.ready & admit),
            accept.eq(link.valid & link.ready),
        ]
        ends = count_beats(m, accept, plan.input.count, "s_axis")
        flags: list[stream.Interface] = []
        memories: list[FileMemory] = []
        streams = {(INPUT, 0): link}
        for node in plan.group.nodes:
            sources = [streams[source] for source in node.sources]
            record = node.record
            if isinstance(record, ForkConfig):
                m.submodules[node.path] = fork = build(record)
                wiring.connect(m, sources[0], fork.i)
                streams |= {(node.path, k): sink for k, sink in enumerate(fork.o)}
                continue
            assert isinstance(record, Group)
            if isinstance(record, LoopGroup):
                block = Lstm(record)
                wiring.connect(m, self._queue(m, f"last_{node.path}", flags), block.last)
                state = block.state.signature.create(path=(node.path, "cell"))
                wiring.connect(m, block.state, wiring.flipped(state))
            else:
                block = Layer(record)
                for name, source in list(zip(record.inputs, sources, strict=True))[1:]:
                    wiring.connect(m, source, getattr(block, name))
            m.submodules[node.path] = block
            memories += block.memories
            wiring.connect(m, sources[0], block.i)
            link = self._link(node.path, node.output.beat)
            wiring.connect(m, block.o, wiring.flipped(link))
            streams[node.path, 0] = link

        link = streams[plan.group.last, 0]
        sent, wrong = Signal(), Signal()
        m.d.comb += [
            self.m_axis_tdata.eq(pack(link.payload, leaving.format, leaving.lanes)),
            self.m_axis_tvalid.eq(link.valid),
            link.ready.eq(self.m_axis_tready),
            sent.eq(self.m_axis_tvalid & self.m_axis_tready),
        ]
        last_beat = count_beats(m, sent, plan.output.count, "m_axis")
        if plan.recurrent:
            # The end of a sequence travels beside the data, one bit a vector.
            tail = self._queue(m, "last_m_axis", flags)
            m.d.comb += [
                self.m_axis_tlast.eq(last_beat & tail.payload),
                tail.ready.eq(sent & last_beat),
                admit.eq(Cat(flag.ready for flag in flags).all()),
                wrong.eq(self.s_axis_tlast & ~ends),
            ]
            for flag in flags:
                m.d.comb += [flag.valid.eq(accept & ends), flag.payload.eq(self.s_axis_tlast)]
        else:
            m.d.comb += [self.m_axis_tlast.eq(last_beat), wrong.eq(self.s_axis_tlast != ends)]
        with m.If(accept & wrong):
            m.d.sync += self.frame_error.eq(1)
        if memories:
            m.submodules.memory_check = check = MemoryCheck(memories)
            connect_axi_lite(m, check, self, "s_axi")
            m.d.comb += [
                check.frame_error.eq(self.frame_error),
                self.memory_error.eq(check.memory_error),
            ]
        return m

    def _queue(self, m: Module, name: str, flags: list[stream.Interface]) -> stream.Interface:
        """Queue of end-of-sequence bits; its input joins ``flags``, its output is returned."""
        m.submodules[name] = queue = SyncFIFO(width=1, depth=self.plan.ends_depth)
        flags.append(queue.w_stream)
        return queue.r_stream

    @staticmethod
    def _link(name: str, beat: Beat) -> stream.Interface:
        """Stream between layers whose wires a testbench finds as ``<name>__o__payload`` and so on.

        With ``<name>__payload`` a layer ``i`` would share its names with the ports of layers.
        """
        return stream.Signature(layout_of(beat)).create(path=(name, "o"))
