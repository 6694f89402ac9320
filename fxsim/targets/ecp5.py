"""Lattice ECP5.

Sources: ECP5 family data sheet (FPGA-DS-02012); LUTs of cells: FPGA-TN-02204, and nextpnr, which
counts two LUTs for a carry cell, four for a memory of 16 x 4 and two for its write port. A PFUMX
is no LUT of its own.
"""

from fxsim.targets.target import Fabric, Multiplier, Part, Placement, Target

ECP5 = Target(
    name="ecp5",
    title="Lattice ECP5",
    command="synth_ecp5",
    without_dsp="-nodsp",
    cells={
        "lut": ("LUT[1-4]",),
        "lut_ram": ("TRELLIS_DPR16X4",),
        "ff": ("TRELLIS_FF",),
        "carry": ("CCU2C",),
        "dsp": ("MULT18X18D",),
        "block_ram": ("DP16KD", "PDPW16KD"),
    },
    luts={"TRELLIS_DPR16X4": 6, "CCU2C": 2},
    fabric=Fabric(
        address=4,
        block=16384,
        widths=(1, 2, 4, 9, 18, 36),
        rom=2048,
        ram=2048,
        lut_ram=(16, 4),
        multipliers=(Multiplier(18, 18),),
        carry=2,
    ),
    parts={
        "lfe5u-25": Part(lut=24288, ff=24288, dsp=28, block_ram=56),
        "lfe5u-45": Part(lut=43848, ff=43848, dsp=72, block_ram=108),
        "lfe5u-85": Part(lut=83640, ff=83640, dsp=156, block_ram=208),
    },
    # Ports are left unplaced, so that blocks with more ports than a package has pins can be
    # measured.
    placement=Placement("lfe5u-85", "--85k --package CABGA756 --speed 6 --out-of-context"),
)
