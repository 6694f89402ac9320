"""Lattice iCE40.

Sources: iCE40 UltraPlus (FPGA-DS-02008) and iCE40 LP/HX (FPGA-DS-02029) family data sheets, and
nextpnr-ice40, which has the same figures but for the HX4K: that is the die of an HX8K. No memory is
made of LUTs.
"""

from fxsim.targets.ice40_cells import constant_cells, logic_cells
from fxsim.targets.target import Fabric, Multiplier, Part, Placement, Target

ICE40 = Target(
    name="ice40",
    title="Lattice iCE40",
    command="synth_ice40",
    with_dsp="-dsp",
    cells={
        "lut": ("SB_LUT4",),
        "ff": ("SB_DFF*",),
        "carry": ("SB_CARRY",),
        "dsp": ("SB_MAC16",),
        "block_ram": ("SB_RAM40_4K",),
    },
    logic=logic_cells,
    constants=constant_cells,
    fabric=Fabric(
        address=4,
        block=4096,
        widths=(2, 4, 8, 16),
        rom=1024,
        ram=64,
        lut_ram=None,
        multipliers=(Multiplier(16, 16, least_sum=11),),
        carry=1,
    ),
    parts={
        "ice40up5k": Part(5280, 5280, dsp=8, block_ram=30, pins=39, idle="4 SPRAM of 256 kbit"),
        "ice40hx1k": Part(1280, 1280, dsp=0, block_ram=16, pins=96),
        "ice40hx4k": Part(3520, 3520, dsp=0, block_ram=20, pins=107),
        "ice40hx8k": Part(7680, 7680, dsp=0, block_ram=32, pins=206),
    },
    # The default router may go round in circles.
    placement=Placement("ice40hx8k", "--hx8k --package ct256 --router router2"),
)
