"""Gowin LittleBee and Arora: GW1N and GW2A, with GW1NR and GW2AR, which hold a DRAM as well.

Sources: Gowin, GW1N (DS100), GW1NR (DS117) and GW2A (DS102) data sheets; DSP (UG287) and BSRAM and
SSRAM (UG285) user guides; ``synth_gowin`` of Yosys 0.70, whose cells and rules are alike for both
families. GW5A is left out: this Yosys makes no DSP blocks of its products.

A multiplier is one of 18 x 18 bits: two of 9 x 9 share one, one of 36 x 36 takes four. A carry cell
(ALU) stands in the place of a LUT, and nextpnr gives the eight LUTs of a logic block to a memory of
16 x 4: four hold it, four are left empty. MUX2_LUT5 to MUX2_LUT8 are next to LUTs. A ROM in block
RAM is a memory that nobody writes to: Yosys makes no pROM of it.
"""

from fxsim.targets.target import Fabric, Multiplier, Part, Target

GOWIN = Target(
    name="gowin",
    title="Gowin GW1N and GW2A",
    command="synth_gowin -family gw2a",
    without_dsp="-nodsp",
    cells={
        "lut": ("LUT[1-4]",),
        "lut_ram": ("RAM16S*",),
        "ff": ("DFF*",),
        "carry": ("ALU",),
        "dsp": ("MULT9X9", "MULT18X18", "MULT36X36"),
        "block_ram": ("SP", "SPX9", "SDPB", "SDPX9B", "DPB", "DPX9B", "pROM", "pROMX9"),
    },
    shares={"MULT9X9": 0.5, "MULT36X36": 4},
    luts={"ALU": 1, **dict.fromkeys(("RAM16SDP1", "RAM16SDP2", "RAM16SDP4"), 8)},
    fabric=Fabric(
        address=4,
        block=16384,
        widths=(1, 2, 4, 9, 18, 36),
        rom=2048,
        ram=1500,  # less than of a ROM: banks of memory in LUTs have multiplexers
        lut_ram=(16, 4),
        multipliers=(
            Multiplier(36, 36, least_wide=22, least_slim=22, share=4),
            Multiplier(18, 18, least_wide=10, least_slim=4),
            Multiplier(9, 9, least_wide=4, least_slim=4, share=0.5),
        ),
        carry=1,
        sign=1,
    ),
    parts={
        "gw1n-4": Part(lut=4608, ff=3456, dsp=16, block_ram=10),
        "gw1n-9": Part(lut=8640, ff=6480, dsp=20, block_ram=26),
        "gw1nr-9": Part(lut=8640, ff=6480, dsp=20, block_ram=26),
        "gw2a-18": Part(lut=20736, ff=15552, dsp=48, block_ram=46),
        "gw2ar-18": Part(lut=20736, ff=15552, dsp=48, block_ram=46),
        "gw2a-55": Part(lut=54720, ff=41040, dsp=40, block_ram=140),
    },
)
