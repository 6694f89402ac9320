"""Gowin LittleBee and Arora: GW1N and GW2A, with GW1NR and GW2AR, which hold a DRAM as well.

Sources: Gowin, GW1N (DS100), GW1NR (DS117) and GW2A (DS102) data sheets; DSP (UG287) and BSRAM and
SSRAM (UG285) user guides; ``synth_gowin`` of Yosys 0.70, whose cells and rules are alike for both
families. GW5A is left out: this Yosys makes no DSP blocks of its products. All parts but the
GW2A-55 have the same figures in Project Apicula, as nextpnr 0.11.1 reads them. Pins are those of a
die; a GW1NR or GW2AR has fewer.

A multiplier is one of 18 x 18 bits: two of 9 x 9 share one, one of 36 x 36 takes four. A carry cell
(ALU) stands in the place of a LUT, and nextpnr gives the eight LUTs of a logic block to a memory of
16 x 4: four hold it, four are left empty. Each chain of ALUs has two more, where the carry goes in
and where it comes out. A register fills the place of a LUT unless a LUT or an ALU drives it, which
may be one that drives others as well. MUX2_LUT5 to MUX2_LUT8 are next to LUTs. A ROM in block
RAM is a memory that nobody writes to: Yosys makes no pROM of it.
"""

from fxsim.targets.netlist import Cell, Netlist
from fxsim.targets.target import Fabric, Multiplier, Part, Target

_CHAIN = 2


def packed_luts(netlist: Netlist) -> int:
    """Places of a LUT that LUTs, ALUs and memories fill: the figure LUT4 of nextpnr."""
    chains = sum(_starts_chain(netlist, cell) for cell in netlist.cells if cell.type == "ALU")
    return GOWIN.count_luts(netlist.counts) + _CHAIN * chains


def _logic(netlist: Netlist) -> int:
    """Places of a LUT that are filled, and those where a register stands alone."""
    registers = [cell for cell in netlist.cells if cell.type.startswith("DFF")]
    joined = {net for cell in registers if (net := _lut_behind(netlist, cell)) is not None}
    return packed_luts(netlist) + len(registers) - len(joined)


def _starts_chain(netlist: Netlist, alu: Cell) -> bool:
    before = netlist.driver_of(alu, "CIN")
    return before is None or before.port != "COUT"


def _lut_behind(netlist: Netlist, register: Cell) -> int | None:
    """Net from a LUT or an ALU into a register, which one register can share a place with."""
    pin = netlist.driver_of(register, "D")
    ours = pin is not None and pin.cell is not None and pin.cell.among(("LUT[1-4]", "ALU"))
    return register.net("D") if ours else None


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
    logic=_logic,
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
        "gw1n-4": Part(4608, 3456, dsp=16, block_ram=10, pins=218),
        "gw1n-9": Part(8640, 6480, dsp=20, block_ram=26, pins=276),
        "gw1nr-9": Part(8640, 6480, dsp=20, block_ram=26),
        "gw2a-18": Part(20736, 15552, dsp=48, block_ram=46, pins=384),
        "gw2ar-18": Part(20736, 15552, dsp=48, block_ram=46),
        "gw2a-55": Part(54720, 41040, dsp=40, block_ram=140),
    },
)
