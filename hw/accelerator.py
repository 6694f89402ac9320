"""A whole network behind AXI4-Stream ports: wires blocks, nothing else."""

from amaranth.hdl import ClockDomain, Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fxsim.network import QuantizedNetwork
from hw.axi import axis_members, count_beats, pack, unpack
from hw.layouts import beat_of
from hw.linear import Linear


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
        Input vectors: ceil(inputs / simd) beats of the first layer's ``simd`` lanes. Each lane is
        padded to whole bytes, lane 0 in the low bytes; the high bits of a lane are ignored.
    m_axis_tdata, m_axis_tvalid, m_axis_tready, m_axis_tlast
        Output vectors: beats of the last layer's output lanes, sign-extended to whole bytes; tlast
        marks a vector's last beat.
    frame_error : Out(1)
        Goes high, and stays, when s_axis_tlast is not exactly on the last beat of a vector.

    Latency and interval are those of `fxsim.cycles`.
    """

    def __init__(self, network: QuantizedNetwork):
        self.network = network
        first, last = network.layers[0], network.layers[-1]
        super().__init__(
            {
                "aclk": In(1),
                "aresetn": In(1),
                **axis_members("s_axis", first.input.format, first.folding.simd, sink=True),
                **axis_members("m_axis", last.output.format, last.output_lanes, sink=False),
                "frame_error": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = sync = ClockDomain()
        m.d.comb += [sync.clk.eq(self.aclk), sync.rst.eq(~self.aresetn)]

        first, last = self.network.layers[0], self.network.layers[-1]
        link = self._link("input", first.input.format, first.folding.simd)
        m.d.comb += [
            link.payload.eq(unpack(self.s_axis_tdata, first.input.format, first.folding.simd)),
            link.valid.eq(self.s_axis_tvalid),
            self.s_axis_tready.eq(link.ready),
        ]
        lanes = first.folding.simd
        for layer in self.network.layers:
            m.submodules[layer.name] = block = Linear(layer, lanes_in=lanes)
            wiring.connect(m, link, block.i)
            lanes = layer.output_lanes
            link = self._link(layer.name, layer.output.format, lanes)
            wiring.connect(m, block.o, wiring.flipped(link))
        m.d.comb += [
            self.m_axis_tdata.eq(pack(link.payload, last.output.format, lanes)),
            self.m_axis_tvalid.eq(link.valid),
            link.ready.eq(self.m_axis_tready),
        ]

        taken = self.s_axis_tvalid & self.s_axis_tready
        ends = count_beats(m, taken, first.beats, "s_axis")
        with m.If(taken & (self.s_axis_tlast != ends)):
            m.d.sync += self.frame_error.eq(1)
        sent = self.m_axis_tvalid & self.m_axis_tready
        beats = -(-last.outputs // lanes)
        m.d.comb += self.m_axis_tlast.eq(count_beats(m, sent, beats, "m_axis"))
        return m

    @staticmethod
    def _link(name, fmt, lanes):
        """Stream between layers whose wires a testbench finds as ``<name>__o__payload`` and so on.

        With ``<name>__payload`` a layer ``i`` would share its names with the ports of layers.
        """
        return stream.Signature(beat_of(fmt, lanes)).create(path=(name, "o"))
