"""Xilinx 7-series.

Sources: AMD, 7 Series overview (DS180) and Zynq-7000 overview (DS190), whose block RAMs are of 36
kbit: one of 18 is half of one; pins of a Zynq are those of its logic. LUTs of memories: UG474,
tables 2-3 and 2-5. Products and memories: ``synth_xilinx`` of Yosys 0.70, which also moves
registers into DSP blocks and shift registers. No packer was at hand: logic is the LUTs of Yosys,
of which Vivado may put two small ones into one.
"""

from fxsim.targets.target import Fabric, Multiplier, Part, Target

XC7 = Target(
    name="xc7",
    title="Xilinx 7-series",
    command="synth_xilinx -family xc7 -flatten",
    without_dsp="-nodsp",
    cells={
        "lut": ("LUT[1-6]",),
        "lut_ram": (
            *("RAM32M", "RAM64M", "RAM32X1D", "RAM64X1D", "RAM128X1D", "RAM16X1D", "RAM64X1S"),
            *("RAM32X1S", "RAM128X1S", "RAM256X1S", "SRL16E", "SRLC16E", "SRLC32E"),
        ),
        "ff": ("FDRE", "FDSE", "FDCE", "FDPE"),
        "carry": ("CARRY4",),
        "dsp": ("DSP48E1",),
        "block_ram": ("RAMB18E1", "RAMB36E1"),
    },
    shares={"RAMB18E1": 0.5},
    luts={
        **dict.fromkeys(("RAM32M", "RAM64M", "RAM128X1D", "RAM256X1S"), 4),
        **dict.fromkeys(("RAM32X1D", "RAM64X1D", "RAM16X1D", "RAM128X1S"), 2),
        **dict.fromkeys(("RAM32X1S", "RAM64X1S", "SRL16E", "SRLC16E", "SRLC32E"), 1),
    },
    fabric=Fabric(
        address=6,
        block=16384,
        widths=(1, 2, 4, 9, 18, 36),
        rom=8256,
        ram=3072,
        lut_ram=(32, 6),
        multipliers=(Multiplier(25, 18, least_sum=9),),
        carry=4,
        shift=3,
    ),
    parts={
        "xc7a35t": Part(20800, 41600, dsp=90, block_ram=50, pins=250),
        "xc7a100t": Part(63400, 126800, dsp=240, block_ram=135, pins=300),
        "xc7a200t": Part(134600, 269200, dsp=740, block_ram=365, pins=500),
        "xc7z010": Part(17600, 35200, dsp=80, block_ram=60, pins=100),
        "xc7z020": Part(53200, 106400, dsp=220, block_ram=140, pins=200),
    },
)
