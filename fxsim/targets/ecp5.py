"""Lattice ECP5.

Sources: ECP5 family data sheet (FPGA-DS-02012), and nextpnr-ecp5, which has the same figures; LUTs
of cells: FPGA-TN-02204, and nextpnr, which counts two LUTs for a carry cell, four for a memory of
16 x 4 and two for its write port, two carry cells more for each chain, one where the carry goes in
and one where it comes out, and a LUT for each constant that it drives. A PFUMX is no LUT of its
own, and a register needs no LUT.
"""

from fxsim.targets.netlist import Cell, Netlist
from fxsim.targets.target import Fabric, Multiplier, Part, Placement, Target

_CHAIN = 4


def _logic(netlist: Netlist) -> int:
    """LUTs of all cells, and of the ends of carry chains."""
    chains = sum(_starts_chain(netlist, cell) for cell in netlist.cells if cell.type == "CCU2C")
    return ECP5.count_luts(netlist.counts) + _CHAIN * chains


def _starts_chain(netlist: Netlist, carry: Cell) -> bool:
    before = netlist.driver_of(carry, "CIN")
    return before is None or before.port != "COUT"


def _constants(netlist: Netlist) -> int:
    """A LUT that drives 0 is always there, one that drives 1 where it is used."""
    return 1 + ("1" in netlist.constants)


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
    logic=_logic,
    constants=_constants,
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
        "lfe5u-25": Part(24288, 24288, dsp=28, block_ram=56, pins=197),
        "lfe5u-45": Part(43848, 43848, dsp=72, block_ram=108, pins=245),
        "lfe5u-85": Part(83640, 83640, dsp=156, block_ram=208, pins=365),
    },
    # Ports are left unplaced, so that blocks with more ports than a package has pins can be
    # measured.
    placement=Placement("lfe5u-85", "--85k --package CABGA756 --speed 6 --out-of-context"),
)
