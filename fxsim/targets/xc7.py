"""Xilinx 7-series.

Sources: AMD, 7 Series overview (DS180) and Zynq-7000 overview (DS190); a half block of
memory counts as a whole one; LUTs of memories: UG474, tables 2-3 and 2-5. Products and memories:
``synth_xilinx`` of Yosys 0.70, which also moves registers into DSP blocks and shift registers.
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
        "xc7a35t": Part(lut=20800, ff=41600, dsp=90, block_ram=50),
        "xc7a100t": Part(lut=63400, ff=126800, dsp=240, block_ram=135),
        "xc7a200t": Part(lut=134600, ff=269200, dsp=740, block_ram=365),
        "xc7z010": Part(lut=17600, ff=35200, dsp=80, block_ram=60),
        "xc7z020": Part(lut=53200, ff=106400, dsp=220, block_ram=140),
    },
)
