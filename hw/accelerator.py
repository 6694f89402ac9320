"""A whole network behind AXI4-Stream ports: wires blocks, nothing else."""

from amaranth.hdl import Cat, ClockDomain, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from fxsim.hw.add import Add
from fxsim.hw.argmax import Classifier
from fxsim.hw.axi import axis_members, count_beats, pack, unpack
from fxsim.hw.axi_lite import axi_lite_members, connect_axi_lite
from fxsim.hw.convolution import Convolution
from fxsim.hw.fork import Fork
from fxsim.hw.layouts import beat_of
from fxsim.hw.linear import Linear
from fxsim.hw.lstm import Lstm, products
from fxsim.hw.memory_check import MemoryCheck, address_bits
from fxsim.hw.pool import Pool
from fxsim.memory import WeightMemory
from fxsim.network import (
    INPUT,
    Argmax,
    MaxPool,
    QuantizedAdd,
    QuantizedConvolution,
    QuantizedLstm,
    QuantizedNetwork,
)

_BLOCKS = {QuantizedConvolution: Convolution, MaxPool: Pool, Argmax: Classifier}
"""Blocks of layers that are not `Linear`, `Lstm` or `Add`."""


def file_memories(network: QuantizedNetwork) -> list[WeightMemory]:
    """Weight memories that are filled from files, in the order of the data."""
    every = [
        WeightMemory.of(product)
        for layer in network.layers
        for product in (products(layer) if isinstance(layer, QuantizedLstm) else layer.linears)
    ]
    return [memory for memory in every if memory.file is not None]


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
        `fxsim.hw.memory_check`.

    With LSTM layers, tlast marks the last beat of a sequence instead, on both sides: the state is
    that of a new sequence after it. frame_error then means tlast before the end of a vector.

    Latency and interval are those of `fxsim.cycles`.
    """

    def __init__(self, network: QuantizedNetwork):
        self.network = network
        first, last = network.layers[0], network.layers[-1]
        self._lanes_in = first.lanes_in
        self._memories = [memory.name for memory in file_memories(network)]
        members = {}
        if self._memories:
            members = axi_lite_members("s_axi", address_bits(self._memories))
            members["memory_error"] = Out(1)
        super().__init__(
            {
                "aclk": In(1),
                "aresetn": In(1),
                **axis_members("s_axis", first.input.format, self._lanes_in, sink=True),
                **axis_members("m_axis", last.output.format, last.lanes_out, sink=False),
                "frame_error": Out(1),
                **members,
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = sync = ClockDomain()
        m.d.comb += [sync.clk.eq(self.aclk), sync.rst.eq(~self.aresetn)]

        first, lanes = self.network.layers[0], self._lanes_in
        link = self._link("input", first.input.format, lanes)
        accept, admit = Signal(), Signal(init=1)
        m.d.comb += [
            link.payload.eq(unpack(self.s_axis_tdata, first.input.format, lanes)),
            link.valid.eq(self.s_axis_tvalid & admit),
            self.s_axis_tready.eq(link.ready & admit),
            accept.eq(link.valid & link.ready),
        ]
        ends = count_beats(m, accept, -(-first.inputs // lanes), "s_axis")
        flags, memories = [], []
        shortcuts = {}  # stream to an add, and its lanes
        link = self._fork(m, INPUT, link, lanes, shortcuts)
        for layer in self.network.layers:
            if isinstance(layer, QuantizedLstm):
                block = Lstm(layer, lanes_in=lanes)
                wiring.connect(m, self._queue(m, f"last_{layer.name}", flags), block.last)
                state = block.state.signature.create(path=(layer.name, "cell"))
                wiring.connect(m, block.state, wiring.flipped(state))
            elif isinstance(layer, QuantizedAdd):
                other, other_lanes = shortcuts[layer.name]
                block = Add(layer, lanes_in=lanes, shortcut_lanes=other_lanes)
                wiring.connect(m, other, block.shortcut)
            else:
                block = _BLOCKS.get(type(layer), Linear)(layer, lanes_in=lanes)
            m.submodules[layer.name] = block
            memories += getattr(block, "memories", ())
            wiring.connect(m, link, block.i)
            lanes = block.lanes_out
            link = self._link(layer.name, layer.output.format, lanes)
            wiring.connect(m, block.o, wiring.flipped(link))
            link = self._fork(m, layer.name, link, lanes, shortcuts)

        sent, wrong = Signal(), Signal()
        beats = -(-self.network.layers[-1].outputs // lanes)
        m.d.comb += [
            self.m_axis_tdata.eq(pack(link.payload, layer.output.format, lanes)),
            self.m_axis_tvalid.eq(link.valid),
            link.ready.eq(self.m_axis_tready),
            sent.eq(self.m_axis_tvalid & self.m_axis_tready),
        ]
        last_beat = count_beats(m, sent, beats, "m_axis")
        if self.network.recurrent:
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

    def _fork(self, m, start, link, lanes, shortcuts):
        """Give a stream to each add whose shortcut starts here; what goes on is returned."""
        adds = self.network.shortcuts(start)
        if not adds:
            return link
        m.submodules[f"{start}$fork"] = fork = Fork(link.payload.shape(), sinks=1 + len(adds))
        wiring.connect(m, link, fork.i)
        for add, other in zip(adds, fork.o[1:], strict=True):
            shortcuts[add.name] = other, lanes
        return fork.o[0]

    def _queue(self, m, name, flags):
        """Queue of end-of-sequence bits; its input joins ``flags``, its output is returned."""
        depth = 16 * len(self.network.layers)
        m.submodules[name] = queue = SyncFIFO(width=1, depth=depth)
        flags.append(queue.w_stream)
        return queue.r_stream

    @staticmethod
    def _link(name, fmt, lanes):
        """Stream between layers whose wires a testbench finds as ``<name>__o__payload`` and so on.

        With ``<name>__payload`` a layer ``i`` would share its names with the ports of layers.
        """
        return stream.Signature(beat_of(fmt, lanes)).create(path=(name, "o"))
